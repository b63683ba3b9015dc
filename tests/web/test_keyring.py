"""How a process remembers the keys of its database."""

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.db import Database
from app.web.keyring import KeyRing
from app.web.principal import OPEN, Principal, UnauthenticatedError
from tests.web.holders import admitted, ends, made, reads, refusal, revoked, ring
from tests.web.sample import Process


@pytest.fixture
def sqlite(process: Process) -> Database:
    """Give a database on SQLite: how a process remembers is the same on every one."""
    return process.database


async def test_a_request_costs_no_query_while_the_key_is_remembered(sqlite: Database) -> None:
    issued = await made(sqlite)
    keyring = ring()

    with reads(sqlite) as first:
        await admitted(keyring, sqlite, issued.secret)
    with reads(sqlite) as then:
        for _ in range(3):
            await admitted(keyring, sqlite, issued.secret)
            await refusal(keyring, sqlite, issued.secret[:-1] + "~")
            await refusal(
                keyring, sqlite, issued.secret[:-1] + ("A" if issued.secret[-1] != "A" else "B")
            )

    assert len(first) == 1
    assert then == []


async def test_a_made_up_key_costs_one_look_up_and_nonsense_none(sqlite: Database) -> None:
    keyring = ring()
    wrong = f"ok_{'0' * 32}_{'x' * 43}"

    with reads(sqlite) as asked:
        for _ in range(3):
            await refusal(keyring, sqlite, wrong)
        for nonsense in ("", "ok_", wrong + "x", wrong[:-1], wrong.upper(), "x" * 100_000):
            await refusal(keyring, sqlite, nonsense)

    assert len(asked) == 1


async def test_made_up_keys_do_not_push_real_ones_out(sqlite: Database) -> None:
    issued = await made(sqlite)
    keyring = ring(most=2)
    await admitted(keyring, sqlite, issued.secret)
    wrong = [f"ok_{digit * 32}_{'x' * 43}" for digit in "012"]
    for one in wrong:
        await refusal(keyring, sqlite, one)

    with reads(sqlite) as asked:
        await admitted(keyring, sqlite, issued.secret)
        await refusal(keyring, sqlite, wrong[2])
    assert asked == []
    with reads(sqlite) as asked:
        await refusal(keyring, sqlite, wrong[0])
    assert len(asked) == 1


async def test_many_requests_at_once_share_one_look_up(sqlite: Database) -> None:
    issued = await made(sqlite)
    keyring = ring()

    with reads(sqlite) as asked:
        async with anyio.create_task_group() as requests:
            for _ in range(20):
                requests.start_soon(admitted, keyring, sqlite, issued.secret)

    assert len(asked) == 1


async def test_a_look_up_that_fails_fails_for_all_who_wait_and_is_not_remembered(
    sqlite: Database, nowhere: object, process: Process
) -> None:
    del nowhere
    issued = await made(sqlite)
    keyring = ring()
    failed, tries = 0, 0

    def connecting(*_: object) -> None:
        nonlocal tries
        tries += 1

    event.listen(process.database.reader.sync_engine, "do_connect", connecting)

    async def fail() -> None:
        nonlocal failed
        with pytest.raises(OperationalError):
            await admitted(keyring, process.database, issued.secret)
        failed += 1

    async with anyio.create_task_group() as requests:
        for _ in range(5):
            requests.start_soon(fail)

    assert (failed, tries) == (5, 1)
    await admitted(keyring, sqlite, issued.secret)


async def test_a_look_up_that_was_given_up_is_done_by_another(sqlite: Database) -> None:
    issued = await made(sqlite)
    keyring = ring()
    who: list[Principal] = []

    async def ask() -> None:
        who.append(await admitted(keyring, sqlite, issued.secret))

    async with anyio.create_task_group() as second, anyio.create_task_group() as first:
        first.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        second.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        first.cancel_scope.cancel()

    assert [one.name for one in who] == [issued.key.id]


async def test_a_secret_ends_when_it_should_though_the_key_is_remembered(sqlite: Database) -> None:
    issued = await made(sqlite)
    await ends(sqlite, issued.key, 0.3)
    keyring = ring()
    await admitted(keyring, sqlite, issued.secret)

    await anyio.sleep(0.35)

    assert "expired" in await refusal(keyring, sqlite, issued.secret)


async def test_another_processes_revocation_is_heard_of_in_time(sqlite: Database) -> None:
    issued = await made(sqlite)
    here, there = ring(), ring(remembered_s=0.2)
    for keyring in (here, there):
        await admitted(keyring, sqlite, issued.secret)

    await revoked(sqlite, issued.key)
    here.changed(issued.key.id)

    assert "revoked" in await refusal(here, sqlite, issued.secret)
    await admitted(there, sqlite, issued.secret)
    await anyio.sleep(0.25)
    assert "revoked" in await refusal(there, sqlite, issued.secret)


async def test_what_was_read_before_a_change_is_not_remembered_after_it(sqlite: Database) -> None:
    issued = await made(sqlite)
    keyring = ring()

    with reads(sqlite) as asked:
        async with anyio.create_task_group() as requests:
            requests.start_soon(admitted, keyring, sqlite, issued.secret)
            await anyio.lowlevel.checkpoint()
            keyring.changed(issued.key.id)
        await admitted(keyring, sqlite, issued.secret)

    assert len(asked) == 2


async def test_while_one_looks_whether_the_server_is_open_the_others_go_by_before(
    database: Database,
) -> None:
    keyring = KeyRing(open_without_keys=True, remembered_s=0)
    assert await keyring.admit(database, None, sent=False) is OPEN

    found: list[Principal] = []

    async def ask() -> None:
        found.append(await keyring.admit(database, None, sent=False))

    with reads(database) as statements:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(ask)

    assert found == [OPEN] * 10
    assert len(statements) == 1


async def test_without_any_key_the_server_is_open_until_the_first_is_made(
    sqlite: Database,
) -> None:
    here = KeyRing(open_without_keys=True)
    there = KeyRing(open_without_keys=True, remembered_s=0.2)
    for keyring in (here, there):
        assert await keyring.admit(sqlite, None, sent=False) is OPEN
    with reads(sqlite) as asked:
        assert await here.admit(sqlite, "nonsense", sent=True) is OPEN
    assert asked == []

    issued = await made(sqlite)
    here.changed(issued.key.id)
    await revoked(sqlite, issued.key)
    await anyio.sleep(0.25)

    for keyring in (here, there):
        with pytest.raises(UnauthenticatedError, match="Send the API key"):
            await keyring.admit(sqlite, None, sent=False)
