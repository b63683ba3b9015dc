"""Orders over REST: placed, refused, found and listed, in front of every database."""

from datetime import datetime
from typing import Any

import httpx2
import pytest

from app.db import Database
from app.modules.orders.events import Shortage
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.settle import Verdict, settle
from tests.orders.rest import (
    CUP,
    MUG,
    SQLITE,
    application,
    client_of,
    order_of,
    placed_at,
    post,
    put,
)
from tests.orders.sample import published


async def test_an_order_is_placed_and_found(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)

    made = await post(client, ("MUG", 2), ("CUP", 1), ("MUG", 1), reference="WEB-1")
    found = await client.get(made.headers["location"])

    assert made.status_code == 201
    assert made.headers["etag"] == found.headers["etag"] == '"1"'
    order = made.json()
    assert found.json() == order
    assert order == {
        "id": order["id"],
        "reference": "WEB-1",
        "status": "pending",
        "customer_id": "c-1",
        "total": {"amount": "14.74", "currency": "GBP"},
        "lines": [
            {
                "sku": "MUG",
                "title": "Mug",
                "quantity": 3,
                "unit_price": {"amount": "4.25", "currency": "GBP"},
                "total": {"amount": "12.75", "currency": "GBP"},
                "fulfilling": 0,
                "fulfilled": 0,
            },
            {
                "sku": "CUP",
                "title": "Cup",
                "quantity": 1,
                "unit_price": {"amount": "1.99", "currency": "GBP"},
                "total": {"amount": "1.99", "currency": "GBP"},
                "fulfilling": 0,
                "fulfilled": 0,
            },
        ],
        "shortages": [],
        "fulfillments": [],
        "confirm": "auto",
        "hold_seconds": None,
        "reserved_at": None,
        "expires_at": None,
        "cancel_reason": None,
        "allowed_actions": ["cancel"],
        "version": 1,
        "created_at": order["created_at"],
        "updated_at": order["created_at"],
    }
    assert made.headers["location"] == f"/v1/orders/{order['id']}"


async def test_a_rejected_order_shows_every_short_line(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    order_id = (await post(client, ("MUG", 2))).json()["id"]
    [created] = await published(database)
    short = Shortage(sku="MUG", requested=2, available=1)

    async with database.write() as session:
        await settle(session, [Verdict(order_id=order_id, cause=created, shortages=(short,))])

    found = await client.get(f"/v1/orders/{order_id}")
    assert found.headers["etag"] == '"2"'
    assert found.json()["status"] == "rejected"
    assert found.json()["shortages"] == [{"sku": "MUG", "requested": 2, "available": 1}]


async def test_an_idempotency_key_makes_one_order_of_two_posts(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    client.headers["Idempotency-Key"] = "k-1"

    first = await post(client, ("MUG", 2))
    second = await post(client, ("MUG", 2))
    other = await post(client, ("MUG", 3))

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(await published(database)) == 1


async def test_refusals_of_an_order(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    await put(client, "OLD", MUG | {"active": False})
    await put(client, "HAT", {"title": "Hat", "unit_price": {"amount": "1", "currency": "JPY"}})
    first = (await post(client, ("MUG", 1), reference="WEB-1")).json()

    unknown = await post(client, ("MUG", 1), ("NOPE", 1), ("NADA", 1))
    inactive = await post(client, ("OLD", 1))
    mixed = await post(client, ("MUG", 1), ("HAT", 1))
    twice = await post(client, ("MUG", 1), reference="WEB-1")

    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_sku")
    assert unknown.json()["skus"] == ["NOPE", "NADA"]
    assert (inactive.status_code, inactive.json()["code"]) == (422, "inactive_product")
    assert (mixed.status_code, mixed.json()["code"]) == (422, "currency_mixed")
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate_reference")
    assert twice.json()["existing_id"] == first["id"]


@SQLITE
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": "2"}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1.5}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "price": 1}]}, "/lines/0/price"),
        ({"lines": [{"sku": "A/B", "quantity": 1}]}, "/lines/0/sku"),
        ({"lines": [{"sku": "MUG", "quantity": 1}] * 1001}, "/lines"),
        ({"customer_id": ""}, "/customer_id"),
        ({"customer_id": None}, "/customer_id"),
        ({"reference": ""}, "/reference"),
        ({"status": "confirmed"}, "/status"),
        ({"confirm": "later"}, "/confirm"),
        ({"confirm": "manual", "hold_seconds": 59}, "/hold_seconds"),
        ({"confirm": "manual", "hold_seconds": 604_801}, "/hold_seconds"),
        ({"confirm": "manual", "hold_seconds": 2**63}, "/hold_seconds"),
        ({"hold_seconds": 900}, "/hold_seconds"),
        (
            {"lines": [{"sku": "MUG", "quantity": 1, "expected_unit_price": "4.25"}]},
            "/lines/0/expected_unit_price",
        ),
    ],
)
async def test_what_is_wrong_with_an_order_is_pointed_at(
    client: httpx2.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    body = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 1}]}

    refused = await client.post("/v1/orders", json=body | change)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


@SQLITE
async def test_what_is_not_there_is_not_found(client: httpx2.AsyncClient) -> None:
    for path in ("/v1/orders/ord_0", "/v1/products/NOPE"):
        missing = await client.get(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_price_that_changed_refuses_the_order(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)
    body = order_of(("MUG", 1), ("CUP", 1))
    lines: Any = body["lines"]

    lines[0]["expected_unit_price"] = MUG["unit_price"]
    lines[1]["expected_unit_price"] = {"amount": "1.89", "currency": "GBP"}
    refused = await client.post("/v1/orders", json=body)
    lines[1]["expected_unit_price"] = CUP["unit_price"]
    taken = await client.post("/v1/orders", json=body)

    assert (refused.status_code, refused.json()["code"]) == (422, "price_changed")
    assert refused.json()["prices"] == [
        {
            "sku": "CUP",
            "expected": {"amount": "1.89", "currency": "GBP"},
            "current": CUP["unit_price"],
        }
    ]
    assert taken.status_code == 201


async def test_a_manual_order_is_held_for_as_long_as_it_says(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    order_id = await placed_at(client, database, OrderStatus.RESERVED)

    held = (await client.get(f"/v1/orders/{order_id}")).json()
    said = (await post(client, ("MUG", 1), confirm="manual", hold_seconds=60)).json()

    assert (held["status"], held["confirm"], held["hold_seconds"]) == ("reserved", "manual", 900)
    assert held["allowed_actions"] == ["confirm", "extend", "cancel"]
    until = datetime.fromisoformat(held["expires_at"])
    since = datetime.fromisoformat(held["reserved_at"])
    assert abs((until - since).total_seconds() - 900) < 1
    assert (said["hold_seconds"], said["expires_at"]) == (60, None)


@SQLITE
async def test_the_settings_say_for_how_long_an_order_is_held(database: Database) -> None:
    app = application(database, hold_s=120, hold_limit_s=600)
    async with client_of(app) as client:
        await put(client, "MUG", MUG)

        unsaid = await post(client, ("MUG", 1), confirm="manual")
        longest = await post(client, ("MUG", 1), confirm="manual", hold_seconds=600)
        longer = await post(client, ("MUG", 1), confirm="manual", hold_seconds=601)

    assert unsaid.json()["hold_seconds"] == 120
    assert longest.json()["hold_seconds"] == 600
    assert longer.status_code == 422
    [error] = longer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/hold_seconds", "less_than_equal")


@SQLITE
async def test_an_order_the_client_has_is_not_sent_again(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    order_id = await placed_at(client, database)
    client.headers["If-None-Match"] = '"1"'

    same = await client.get(f"/v1/orders/{order_id}")
    await client.post(f"/v1/orders/{order_id}/cancel")
    changed = await client.get(f"/v1/orders/{order_id}")

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", '"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
