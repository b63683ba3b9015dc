"""API keys in the database: made, rotated, revoked, and when they were used."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import later
from app.db import Database
from app.web import keys
from app.web.keys import Issued, KeyDraft, KeyNotActiveError, KeyNotFoundError
from app.web.principal import Principal
from tests.bus.given_up import dump
from tests.transactions import blocked, commit, holding
from tests.web.holders import admitted, ends, got, made, refusal, revoked, ring, rotated


async def test_a_key_is_kept_without_its_secret(database: Database) -> None:
    draft = KeyDraft(
        name="Jane's shop",
        scopes=frozenset({"orders:read"}),
        customer_id="c-1",
        rate_limit=60,
        expires_in_s=3600,
    )
    first, second = await made(database, draft), await made(database)
    async with database.read() as session:
        listed = await keys.list_keys(session, before=None, limit=10)
        older = await keys.list_keys(session, before=second.key.id, limit=10)

    key = first.key
    assert listed == [second.key, key]
    assert older == [key]
    assert await got(database, key) == key
    assert (key.name, key.scopes, key.customer_id, key.rate_limit) == (
        draft.name,
        draft.scopes,
        "c-1",
        60,
    )
    assert (key.state, key.created_by, key.last_used_at) == ("active", "test", None)
    assert key.expires_at == key.created_at + timedelta(hours=1)
    assert first.secret.startswith(key.prefix)
    assert len(first.secret) == len(key.prefix) - 4 + 43
    assert first.secret[-39:] not in str(await dump(database))


async def test_a_secret_tells_who_holds_it(database: Database) -> None:
    issued = await made(database, KeyDraft(name="a", scopes=frozenset({"ops"}), customer_id="c-1"))

    who = await admitted(ring(), database, issued.secret)

    assert who == Principal(name=issued.key.id, scopes=frozenset({"ops"}), customer_id="c-1")


async def test_after_a_rotation_the_secret_before_works_for_a_while(database: Database) -> None:
    first = await made(database)
    second = await rotated(database, first.key, overlap_s=60)
    await admitted(ring(), database, first.secret)
    third = await rotated(database, first.key, overlap_s=60)

    who = [await admitted(ring(), database, one.secret) for one in (second, third)]

    assert {one.name for one in who} == {first.key.id}
    assert third.key.previous_until is not None
    assert third.key.prefix != second.key.prefix
    assert "knows" in await refusal(ring(), database, first.secret)


async def test_a_rotation_without_overlap_ends_the_secret_before(database: Database) -> None:
    first = await made(database)
    second = await rotated(database, first.key)

    assert "rotated" in await refusal(ring(), database, first.secret)
    await admitted(ring(), database, second.secret)
    assert second.key.previous_until is None


async def test_rotations_at_once_happen_one_after_the_other(database: Database) -> None:
    first = await made(database)
    issued: list[Issued] = []

    async def rotate(session: AsyncSession) -> None:
        issued.append(await keys.rotate(session, first.key.id, overlap_s=60))

    async with holding(database, rotate) as others:
        others.start_soon(commit, database, rotate)
        await blocked(database)

    assert len(issued) == 2
    for one in issued:
        await admitted(ring(), database, one.secret)
    assert "knows" in await refusal(ring(), database, first.secret)


async def test_a_revoked_key_is_over(database: Database) -> None:
    issued = await made(database)
    once = await revoked(database, issued.key)
    again = await revoked(database, issued.key)

    assert once.state == "revoked"
    assert again == once
    assert "revoked" in await refusal(ring(), database, issued.secret)
    assert "knows" in await refusal(ring(), database, issued.secret[:-1] + "~")
    with pytest.raises(KeyNotActiveError, match="is revoked"):
        await rotated(database, issued.key)


async def test_an_expired_key_is_over(database: Database) -> None:
    issued = await made(database)
    await ends(database, issued.key, -1)

    assert (await got(database, issued.key)).state == "expired"
    assert "expired at" in await refusal(ring(), database, issued.secret)
    with pytest.raises(KeyNotActiveError, match="is expired"):
        await rotated(database, issued.key)


async def test_a_key_that_is_not_there_is_not_found(database: Database) -> None:
    for work in (keys.get_key, keys.revoke):
        async with database.read() as session:
            with pytest.raises(KeyNotFoundError):
                await work(session, "key_0")


async def test_a_use_is_noted_once_a_minute(database: Database) -> None:
    issued = await made(database)
    keyring = ring()
    await admitted(keyring, database, issued.secret)
    await keyring.write_notes(database)
    noted = await got(database, issued.key)
    await admitted(keyring, database, issued.secret)
    assert not keyring.has_notes

    for ago_s, again in ((30, False), (61, True)):
        async with database.write() as session:
            await session.execute(update(keys.api_keys).values(last_used_at=later(-ago_s)))
        before = await got(database, issued.key)
        async with database.write() as session:
            await keys.note_use(session, [issued.key.id])
        assert (await got(database, issued.key) != before) is again

    assert noted.last_used_at is not None
