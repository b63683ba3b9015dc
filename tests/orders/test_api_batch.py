"""Many orders in one request, each with an outcome of its own."""

from typing import Any

import httpx2
import pytest

from app.db import Database
from app.errors import AppError
from app.modules.orders.models.order import OrderDraft
from app.modules.orders.service.place import place_each
from tests.orders.rest import CUP, MUG, SQLITE, order_of, post, put
from tests.orders.sample import draft, published, stored
from tests.transactions import at_once, counted


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the products that these tests order."""
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)


async def send(
    client: httpx2.AsyncClient, *orders: dict[str, object], **headers: str
) -> httpx2.Response:
    """Place orders in one request."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/orders/batch", json={"orders": orders}, headers=sent)


def outcomes(response: httpx2.Response) -> list[tuple[int, str | None]]:
    """Return the status of each order, and the code of its problem."""
    assert response.status_code == 200
    return [
        (one["status"], one["problem"] and one["problem"]["code"])
        for one in response.json()["results"]
    ]


async def test_every_order_that_can_be_taken_is_taken(
    client: httpx2.AsyncClient, database: Database
) -> None:
    first = (await post(client, ("MUG", 1), reference="R-0")).json()
    priced: Any = order_of(("MUG", 1))
    priced["lines"][0]["expected_unit_price"] = {"amount": "1.00", "currency": "GBP"}

    answer = await send(
        client,
        order_of(("MUG", 2), reference="R-9"),
        order_of(("NOPE", 1), ("MUG", 1)),
        order_of(("MUG", 1), reference="R-0"),
        order_of(("CUP", 3), confirm="manual", hold_seconds=60),
        priced,
        order_of(("CUP", 1), reference="R-9"),
    )

    assert outcomes(answer) == [
        (201, None),
        (422, "unknown_sku"),
        (409, "duplicate_reference"),
        (201, None),
        (422, "price_changed"),
        (409, "duplicate_reference"),
    ]
    one, unknown, again, other, _, twice = answer.json()["results"]
    for result in (one, other):
        found = await client.get(f"/v1/orders/{result['order']['id']}")
        assert found.json() == result["order"]
    assert (other["order"]["confirm"], other["order"]["hold_seconds"]) == ("manual", 60)
    assert unknown["problem"]["skus"] == ["NOPE"]
    assert unknown["problem"]["type"] == "/problems/unknown_sku"
    assert again["problem"]["existing_id"] == first["id"]
    assert twice["problem"]["existing_id"] == one["order"]["id"]
    placed = [first["id"], one["order"]["id"], other["order"]["id"]]
    assert [event.subject for event in await published(database)] == placed


@SQLITE
async def test_what_does_not_fit_refuses_the_whole_batch(
    client: httpx2.AsyncClient, database: Database
) -> None:
    good = order_of(("MUG", 1))

    async def pointers(*orders: dict[str, object]) -> list[str]:
        refused = await send(client, *orders)
        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
        return [error["pointer"] for error in refused.json()["errors"]]

    assert await pointers() == ["/orders"]
    assert await pointers(*[good] * 101) == ["/orders"]
    assert await pointers(good, order_of()) == ["/orders/1/lines"]
    assert await pointers(good, order_of(("MUG", 0))) == ["/orders/1/lines/0/quantity"]
    held = order_of(("MUG", 1), confirm="manual", hold_seconds=700_000)
    assert await pointers(good, held) == ["/orders/1/hold_seconds"]
    assert await published(database) == []


async def test_a_key_covers_the_whole_batch(client: httpx2.AsyncClient, database: Database) -> None:
    batch = [order_of(("MUG", 1)), order_of(("NOPE", 1)), order_of(("CUP", 1))]
    answers: list[httpx2.Response] = []

    async def once() -> None:
        answers.append(await send(client, *batch, Idempotency_Key="k-1"))

    await at_once(database, once, once)
    late = await send(client, *batch, Idempotency_Key="k-1")
    reused = await send(client, *batch[:1], Idempotency_Key="k-1")

    assert {one.content for one in answers} == {late.content}
    assert late.headers["idempotency-replayed"] == "true"
    assert outcomes(late) == [(201, None), (422, "unknown_sku"), (201, None)]
    assert reused.json()["code"] == "idempotency_key_reused"
    assert len(await published(database)) == 2


async def test_batches_that_share_references_in_another_order_do_not_block_each_other(
    client: httpx2.AsyncClient, database: Database
) -> None:
    one = [order_of(("MUG", 1), reference=f"R-{number}") for number in range(20)]
    answers: list[httpx2.Response] = []

    async def forwards() -> None:
        answers.append(await send(client, *one))

    async def backwards() -> None:
        answers.append(await send(client, order_of(("NOPE", 1)), *one[::-1]))

    await at_once(database, *[forwards, backwards] * 4)

    found = [status for answer in answers for status, _ in outcomes(answer)]
    assert (found.count(201), found.count(409), found.count(422)) == (20, 140, 4)
    assert len(await published(database)) == 20


async def test_the_number_of_orders_is_not_the_number_of_statements(database: Database) -> None:
    async def cost(*drafts: OrderDraft) -> tuple[int, int]:
        with counted(database) as statements:
            async with database.write() as session:
                found = await place_each(session, drafts)
        refused = [one for one in found if isinstance(one, AppError)]
        return len([text for text in statements if not text.startswith("BEGIN")]), len(refused)

    def drafts(number: int, reference: str) -> list[OrderDraft]:
        return [
            one
            for _ in range(number)
            for one in (
                draft(("MUG", 1)),
                draft(("NOPE", 1)),
                draft(("CUP", 1), reference=reference),
            )
        ]

    assert await cost(*drafts(1, "R-1")) == (5, 1)
    # One more looks whose reference it is.
    assert await cost(*drafts(1, "R-1")) == (6, 2)
    assert await cost(*drafts(30, "R-1")) == (6, 60)
    assert await cost(draft(("NOPE", 1))) == (1, 1)


async def test_an_order_of_a_batch_is_the_order_a_single_request_makes(
    client: httpx2.AsyncClient, database: Database
) -> None:
    alone = (await post(client, ("MUG", 2), ("CUP", 1))).json()
    [result] = (await send(client, order_of(("MUG", 2), ("CUP", 1)))).json()["results"]

    own = {"id", "created_at", "updated_at"}
    assert {k: v for k, v in alone.items() if k not in own} == {
        k: v for k, v in result["order"].items() if k not in own
    }
    assert (await stored(database, result["order"]["id"])).lines == (
        await stored(database, alone["id"])
    ).lines
