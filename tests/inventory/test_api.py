"""Receipts, levels and the ledger over REST."""

from typing import Any

import httpx2
import pytest

from app.db import Database
from tests.inventory.sample import check_books, counters, decide, locate, request

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"lines": []}, "/lines"),
    ({"lines": [{"sku": "MUG", "quantity": -1}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "MUG", "quantity": 1_000_001}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "MUG", "quantity": 1}] * 1001}, "/lines"),
    ({"location": "the attic"}, "/location"),
    ({"place": "attic"}, "/place"),
    ({"reference": " PO-7"}, "/reference"),
]

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


async def receive(client: httpx2.AsyncClient, **more: Any) -> httpx2.Response:  # noqa: ANN401 - further members
    body = {"lines": [{"sku": "MUG", "quantity": 40}], **more}
    return await client.post("/v1/inventory/receipts", json=body)


async def test_goods_are_received_once(client: httpx2.AsyncClient, database: Database) -> None:
    client.headers["Idempotency-Key"] = "k-1"
    first = await receive(client, reference="PO-7")
    again = await receive(client, reference="PO-7")
    client.headers["Idempotency-Key"] = "k-2"
    other = await receive(client, reference="PO-7")

    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == {
        "id": first.json()["id"],
        "reference": "PO-7",
        "actor": "open",
        "lines": [{"sku": "MUG", "location": "default", "quantity": 40}],
        "created_at": first.json()["created_at"],
    }
    assert (other.status_code, other.json()["code"]) == (409, "duplicate_reference")
    assert other.json()["existing_id"] == first.json()["id"]
    assert first.headers["location"] == again.headers["location"]
    assert (await client.get(first.headers["location"])).json() == first.json()
    await check_books(database)


async def test_levels_show_what_is_available(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await receive(client)
    await receive(client, lines=[{"sku": "CUP", "quantity": 1}, {"sku": "JUG", "quantity": 1}])
    await decide(database, request("o-1", MUG=3))

    mug = (await client.get("/v1/inventory/levels?sku=MUG")).json()
    two = (await client.get("/v1/inventory/levels?sku=MUG&sku=JUG&sku=NOPE")).json()
    first = (await client.get("/v1/inventory/levels?limit=2")).json()
    rest = (await client.get(f"/v1/inventory/levels?limit=2&cursor={first['next_cursor']}")).json()

    level = {
        "sku": "MUG",
        "location": "default",
        "on_hand": 40,
        "reserved": 3,
        "available": 37,
        "committed": 0,
        "safety_stock": 0,
        "low_stock_at": 0,
    }
    assert mug == {"items": [level], "next_cursor": None}
    assert [one["sku"] for one in two["items"]] == ["JUG", "MUG"]
    assert [one["sku"] for one in first["items"] + rest["items"]] == ["CUP", "JUG", "MUG"]


async def test_the_ledger_is_newest_first(client: httpx2.AsyncClient, database: Database) -> None:
    receipt = (await receive(client)).json()
    await decide(database, request("o-1", MUG=3))
    await receive(client, lines=[{"sku": "CUP", "quantity": 1}])

    newest = (await client.get("/v1/inventory/movements?limit=1&sku=MUG")).json()
    cursor = newest["next_cursor"]
    oldest = (await client.get(f"/v1/inventory/movements?limit=1&sku=MUG&cursor={cursor}")).json()

    [held], [came] = newest["items"], oldest["items"]
    assert (held["kind"], held["order_id"], held["receipt_id"]) == ("reserve", "o-1", None)
    assert (held["reserved_change"], held["on_hand_change"]) == (3, 0)
    assert (held["on_hand_after"], held["reserved_after"]) == (40, 3)
    assert (came["kind"], came["order_id"], came["receipt_id"]) == ("receive", None, receipt["id"])
    assert oldest["next_cursor"] is None


async def test_goods_are_received_where_somebody_says(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await locate(database, leeds=1)

    there = await receive(client, location="leeds")
    nowhere = await receive(client, location="attic")
    missing = await client.get("/v1/inventory/receipts/rcp_none")

    assert there.json()["lines"] == [{"sku": "MUG", "location": "leeds", "quantity": 40}]
    assert await counters(database) == {("MUG", "leeds"): (40, 0, 0)}
    assert (nowhere.status_code, nowhere.json()["code"]) == (422, "unknown_location")
    assert nowhere.json()["locations"] == ["attic"]
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_one_location_counts_so_far(client: httpx2.AsyncClient) -> None:
    most = {"lines": [{"sku": "MUG", "on_hand": 10**15, "expected_on_hand": 0}], "reason": "all"}
    full = await client.post("/v1/inventory/counts", json=most)
    over = await receive(client)

    assert full.status_code == 201
    assert (over.status_code, over.json()["code"]) == (422, "too_much_stock")
    assert over.json()["lines"] == [{"sku": "MUG", "location": "default"}]


async def test_what_is_wrong_with_a_receipt_is_pointed_at(
    client: httpx2.AsyncClient, database: Database
) -> None:
    for change, pointer in REFUSED:
        refused = await receive(client, **change)

        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert await counters(database) == {}
