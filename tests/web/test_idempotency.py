"""A POST with an Idempotency-Key has its effect once, on every database."""

from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import insert, select, text, update

from app.bus.retention import Retention, RetentionPolicy
from app.bus.sql import now
from app.db import Database
from app.web import claims, idempotency
from tests.least_privilege import as_owner
from tests.web.conftest import connected
from tests.web.sample import Process, count, problem_of, settings, things

THING: dict[str, Any] = {"sku": "MUG", "quantity": 1}


@pytest.fixture
async def process(database: Database) -> Process:
    """Put the sample's table beside ours on a migrated database."""
    async with as_owner(database) as connection:
        await connection.run_sync(things.create)
    return Process(settings=settings(), database=database)


async def post(
    client: httpx2.AsyncClient, key: str | None, thing: dict[str, Any] = THING
) -> httpx2.Response:
    headers = {} if key is None else {"idempotency-key": key}
    return await client.post("/v1/things", json=thing, headers=headers)


async def age(database: Database, hours: float) -> None:
    """Make every remembered key look older."""
    keys = claims.keys
    async with database.write() as session:
        old = (await session.execute(select(now()))).scalar_one() - timedelta(hours=hours)
        await session.execute(update(keys).values(created_at=old))


async def test_without_a_key_every_post_counts(
    client: httpx2.AsyncClient, process: Process
) -> None:
    replies = [await post(client, None), await post(client, None)]

    assert [reply.status_code for reply in replies] == [201, 201]
    assert await count(process.database) == 2


async def test_a_repeat_gets_the_first_reply_and_changes_nothing(
    client: httpx2.AsyncClient, process: Process
) -> None:
    first = await post(client, "k-1")
    again = await post(client, "k-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(process.database) == 1


async def test_the_same_request_may_be_spelt_in_another_way(client: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "k-1", "content-type": "application/json"}
    bodies = ['{"sku":"MUG","quantity":1}', '{ "quantity": 1,\n "sku": "\\u004dUG" }']

    first, again = [
        await client.post("/v1/things", content=body, headers=headers) for body in bodies
    ]

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


async def test_the_key_of_another_request_is_refused(
    client: httpx2.AsyncClient, process: Process
) -> None:
    await post(client, "k-1")

    response = await post(client, "k-1", THING | {"quantity": 2})

    assert response.status_code == 422
    assert problem_of(response)["code"] == "idempotency_key_reused"
    assert await count(process.database) == 1


async def test_another_key_is_another_request(client: httpx2.AsyncClient, process: Process) -> None:
    await post(client, "k-1")
    await post(client, "K-1")

    assert await count(process.database) == 2


async def test_quotes_are_not_part_of_the_key(client: httpx2.AsyncClient, process: Process) -> None:
    await post(client, '"k-1"')
    again = await post(client, "k-1")

    assert again.headers["idempotency-replayed"] == "true"
    assert await count(process.database) == 1


async def test_a_refused_request_leaves_its_key_free(
    client: httpx2.AsyncClient, process: Process
) -> None:
    refused = await post(client, "k-1", THING | {"sku": "NONE"})
    served = await post(client, "k-1")

    assert (refused.status_code, served.status_code) == (409, 201)
    assert await count(process.database) == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b'""',
        b'"',
        b'"a',
        b"a b",
        b'"a"b"',
        b"a\tb",
        b"\xe4",
        b"\x00",
        b"x" * 256,
        b'"' + b"x" * 256 + b'"',
    ],
)
async def test_what_is_no_key_is_refused(client: httpx2.AsyncClient, value: bytes) -> None:
    response = await client.post("/v1/things", json=THING, headers=[(b"idempotency-key", value)])

    assert response.status_code == 422
    assert problem_of(response)["code"] == "invalid_idempotency_key"


async def test_two_keys_are_refused(client: httpx2.AsyncClient) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "a")]

    response = await client.post("/v1/things", json=THING, headers=headers)

    assert problem_of(response)["code"] == "invalid_idempotency_key"


@pytest.mark.parametrize(
    "key", ["x" * 255, '"' + "x" * 255 + '"', 'a"b\\c', "~!", "é".encode().hex()]
)
async def test_any_visible_ascii_is_a_key(client: httpx2.AsyncClient, key: str) -> None:
    await post(client, key)

    assert (await post(client, key)).headers["idempotency-replayed"] == "true"


async def test_where_keys_are_required_a_post_without_one_is_refused(process: Process) -> None:
    process.settings = settings(idempotency_required=True)

    async with connected(process) as client:
        response = await post(client, None)
        with_key = await post(client, "k-1")

    assert response.status_code == 400
    assert problem_of(response)["code"] == "idempotency_key_missing"
    assert with_key.status_code == 201


async def test_a_key_is_remembered_for_its_hours(
    client: httpx2.AsyncClient, process: Process
) -> None:
    await post(client, "k-1")
    await age(process.database, hours=23.9)

    assert (await post(client, "k-1")).headers["idempotency-replayed"] == "true"


async def test_an_expired_key_counts_as_new_and_is_remembered_again(
    client: httpx2.AsyncClient, process: Process
) -> None:
    first = await post(client, "k-1")
    await age(process.database, hours=24)

    second = await post(client, "k-1", THING | {"quantity": 7})
    again = await post(client, "k-1", THING | {"quantity": 7})

    assert first.json()["quantity"] == 1
    assert second.json()["quantity"] == again.json()["quantity"] == 7
    assert "idempotency-replayed" not in second.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(process.database) == 2


async def test_principals_do_not_share_keys(process: Process) -> None:
    process.settings = settings(api_key="a-key-of-enough-letters")
    bearer = {"authorization": "Bearer a-key-of-enough-letters"}

    async with connected(process) as keyed:
        await keyed.post("/v1/things", json=THING, headers=bearer | {"idempotency-key": "k-1"})
    process.settings = settings()
    async with connected(process) as opened:
        response = await post(opened, "k-1")

    assert "idempotency-replayed" not in response.headers
    assert await count(process.database) == 2


async def test_equal_requests_at_the_same_time_have_one_effect(
    client: httpx2.AsyncClient, process: Process
) -> None:
    replies: list[httpx2.Response] = []

    async def send() -> None:
        replies.append(await post(client, "k-1"))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(send)

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert await count(process.database) == 1


async def test_equal_requests_for_an_expired_key_have_one_effect_more(
    client: httpx2.AsyncClient, process: Process
) -> None:
    await post(client, "k-1")
    await age(process.database, hours=25)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(post, client, "k-1")

    assert await count(process.database) == 2


async def test_a_repeat_of_a_request_that_takes_too_long_is_asked_to_come_back(
    client: httpx2.AsyncClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    if process.database.single_writer:
        pytest.skip("one writer at a time: the repeat waits its turn")
    monkeypatch.setattr(idempotency, "_PATIENCE_S", 0.05)
    row = {"principal": "open", "key": "k-1", "fingerprint": "", "status": 0}

    async with process.database.writer.begin() as first:
        await first.execute(insert(claims.keys).values(**row, headers="", body=""))
        response = await post(client, "k-1")

    assert response.status_code == 409
    assert problem_of(response)["code"] == "idempotency_in_flight"
    assert response.headers["retry-after"] == "1"
    assert await count(process.database) == 0


async def test_keys_are_kept_for_their_time_and_then_forgotten(
    client: httpx2.AsyncClient, process: Process
) -> None:
    forget = partial(claims.forget, hours=24)
    retention = Retention(process.database, RetentionPolicy(step=2), [forget])
    for key in ("a", "b", "c", "used-again"):
        await post(client, key)
    await age(process.database, 25)
    await post(client, "used-again")
    await post(client, "young")

    await retention.run_round()

    async with process.database.read() as session:
        kept = set(await session.scalars(select(claims.keys.c.key)))
    assert kept == {"used-again", "young"}


async def test_a_key_in_use_is_not_forgotten_under_its_request(
    client: httpx2.AsyncClient, process: Process
) -> None:
    database = process.database
    if database.single_writer:
        pytest.skip("SQLite writers take turns")
    await post(client, "k-1")
    await age(database, 25)
    one = claims.keys.c.key == "k-1"

    async with database.writer.connect() as other:
        await other.execute(update(claims.keys).where(one).values(created_at=now()))
        async with database.write() as session:
            await session.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert await claims.forget(session, 10, hours=24) == 0
        await other.commit()

    assert (await post(client, "k-1")).headers["idempotency-replayed"] == "true"
