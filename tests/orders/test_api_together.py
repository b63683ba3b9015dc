"""Orders that are placed at the same time: one transaction, and each its own outcome."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.bus.tables import outbox
from app.db import Database
from tests.orders.rest import CUP, MUG, order_of, post, put
from tests.transactions import counted

HOW_MANY = 40


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the products that these tests order; a first order, so that who asks is known."""
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)
    await post(client, ("MUG", 1))


async def place(
    client: httpx2.AsyncClient, body: dict[str, Any], key: str | None = None, **headers: str
) -> httpx2.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        sent["idempotency-key"] = key
    return await client.post("/v1/orders", json=body, headers=sent)


async def placed(database: Database) -> list[dict[str, Any]]:
    """Return the envelopes of the orders' events, but that of the first."""
    async with database.read() as session:
        found = await session.scalars(
            select(outbox.c.envelope)
            .where(outbox.c.type == "orders.order_created.v1")
            .order_by(outbox.c.position)
            .offset(1)
        )
        return [json.loads(envelope) for envelope in found]


async def test_many_cost_as_many_statements_as_a_few(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """Five for each transaction, of which there are two or three, and two more with keys."""
    bodies = [order_of(("MUG", 1), ("CUP", number + 1)) for number in range(HOW_MANY)]
    with counted(database) as statements:
        replies = await asyncio.gather(*(place(client, body) for body in bodies))
    with counted(database) as with_keys:
        keyed = await asyncio.gather(
            *(place(client, body, f"k-{number}") for number, body in enumerate(bodies))
        )

    assert {reply.status_code for reply in (*replies, *keyed)} == {201}
    assert len({reply.json()["id"] for reply in (*replies, *keyed)}) == 2 * HOW_MANY
    assert len(statements) <= 3 * 6
    assert len(with_keys) <= 3 * 8
    assert len(await placed(database)) == 2 * HOW_MANY


async def test_each_order_has_its_own_outcome(
    client: httpx2.AsyncClient, database: Database
) -> None:
    kept = await place(client, order_of(("MUG", 1), reference="r-1"))
    answers = await asyncio.gather(
        place(client, order_of(("MUG", 1))),
        place(client, order_of(("NONE", 1)), "k-1"),
        place(client, order_of(("MUG", 1), reference="r-1"), "k-2"),
        place(client, order_of(("CUP", 2), reference="r-2")),
    )

    found = [(reply.status_code, reply.json().get("code")) for reply in answers]
    assert found == [(201, None), (422, "unknown_sku"), (409, "duplicate_reference"), (201, None)]
    assert answers[2].json()["existing_id"] == kept.json()["id"]
    assert len(await placed(database)) == 3
    # What was refused left its key free.
    again = await asyncio.gather(
        place(client, order_of(("MUG", 1)), "k-1"), place(client, order_of(("MUG", 1)), "k-2")
    )
    assert [reply.status_code for reply in again] == [201, 201]


async def test_one_reference_is_one_order(client: httpx2.AsyncClient, database: Database) -> None:
    body = order_of(("MUG", 1), reference="r-1")

    answers = await asyncio.gather(*(place(client, body) for _ in range(5)))

    assert sorted(reply.status_code for reply in answers) == [201, 409, 409, 409, 409]
    assert len(await placed(database)) == 1


async def test_one_key_is_one_order(client: httpx2.AsyncClient, database: Database) -> None:
    body = order_of(("MUG", 1))

    answers = await asyncio.gather(*(place(client, body, "k-1") for _ in range(8)))

    assert {reply.status_code for reply in answers} == {201}
    assert len({reply.content for reply in answers}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in answers) == 1
    assert len(await placed(database)) == 1


async def test_what_is_refused_is_refused_to_all_with_its_key(client: httpx2.AsyncClient) -> None:
    body = order_of(("NONE", 1))

    answers = await asyncio.gather(*(place(client, body, "k-1") for _ in range(3)))

    assert {reply.json()["code"] for reply in answers} == {"unknown_sku"}


async def test_a_key_means_one_thing(client: httpx2.AsyncClient, database: Database) -> None:
    answers = await asyncio.gather(
        place(client, order_of(("MUG", 1)), "k-1"),
        place(client, order_of(("MUG", 2)), "k-1"),
        place(client, order_of(("MUG", 1)), "k-1"),
    )

    codes = [reply.json().get("code") for reply in answers]
    assert codes == [None, "idempotency_key_reused", None]
    assert len(await placed(database)) == 1


async def test_every_order_tells_of_its_own_request(
    client: httpx2.AsyncClient, database: Database
) -> None:
    replies = await asyncio.gather(
        *(
            place(client, order_of(("MUG", 1)), X_Correlation_Id=f"request-{number}")
            for number in range(10)
        )
    )

    told = {envelope["subject"]: envelope for envelope in await placed(database)}
    for number, reply in enumerate(replies):
        envelope = told[reply.json()["id"]]
        assert envelope["correlationid"] == f"request-{number}"
        trace, own = reply.headers["traceparent"], envelope["traceparent"]
        assert trace.split("-")[1] == own.split("-")[1]
