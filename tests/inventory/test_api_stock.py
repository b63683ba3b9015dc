"""Availability, levels, reservations and the proof that they agree, over REST."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.db import Database
from tests.inventory.sample import (
    auto,
    cancelled,
    confirmed,
    decide,
    keep,
    locate,
    request,
    shipment,
    stock,
    stock_at,
)

on_sqlite = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
two_databases = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)

STOCK = "/v1/inventory"


@on_sqlite
async def test_availability_is_what_an_order_would_find(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await locate(database, leeds=1)
    await stock(database, MUG=3, CUP=2)
    await stock_at(database, "leeds", MUG=4)
    await keep(database, "MUG", safety=1)
    await decide(database, auto("o-1", CUP=2), request("o-2", MUG=2))

    asked = await client.get(f"{STOCK}/availability?sku=NOPE&sku=MUG&sku=CUP&sku=MUG")

    assert asked.headers["cache-control"] == "max-age=1"
    assert asked.json() == {
        "items": [
            {"sku": "NOPE", "available": 0, "in_stock": False},
            {"sku": "MUG", "available": 4, "in_stock": True},
            {"sku": "CUP", "available": 0, "in_stock": False},
        ]
    }


@two_databases
async def test_two_hundred_skus_are_asked_for_at_once(
    client: httpx2.AsyncClient, database: Database
) -> None:
    skus = [f"S-{number:03}" for number in range(200)]
    await stock(database, **dict.fromkeys(skus[::2], 1))

    all_of_them = await client.get(f"{STOCK}/availability", params=[("sku", sku) for sku in skus])
    more = await client.get(f"{STOCK}/availability", params=[("sku", "MUG")] * 201)
    none = await client.get(f"{STOCK}/availability")

    assert [one["available"] for one in all_of_them.json()["items"]] == [1, 0] * 100
    for refused in (more, none):
        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
        assert refused.json()["errors"][0]["pointer"] == "/sku"


@on_sqlite
async def test_levels_are_filtered(client: httpx2.AsyncClient, database: Database) -> None:
    await locate(database, leeds=1)
    await stock(database, MUG=3, CUP=2)
    await stock_at(database, "leeds", MUG=4, JUG=6)
    await keep(database, "MUG", low=7)
    await decide(database, request("o-1", JUG=6))

    async def levels(query: str) -> list[tuple[str, str]]:
        items = (await client.get(f"{STOCK}/levels{query}")).json()["items"]
        return [(one["sku"], one["location"]) for one in items]

    assert await levels("?location=leeds") == [("JUG", "leeds"), ("MUG", "leeds")]
    assert await levels("?low=true") == [("JUG", "leeds"), ("MUG", "default"), ("MUG", "leeds")]
    assert await levels("?low=true&location=default&sku=MUG&sku=CUP") == [("MUG", "default")]
    assert await levels("?location=attic") == []
    assert await levels("?sku_prefix=MU") == [("MUG", "default"), ("MUG", "leeds")]
    assert await levels("?sku_prefix=mu") == await levels("?sku_prefix=MUGS") == []
    [cup] = (await client.get(f"{STOCK}/levels?sku=CUP")).json()["items"]
    [mug, _] = (await client.get(f"{STOCK}/levels?sku=MUG")).json()["items"]
    assert (cup["safety_stock"], cup["low_stock_at"], mug["low_stock_at"]) == (0, 0, 7)
    unknown = await client.get(f"{STOCK}/levels?lo=true")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_parameter")


async def test_levels_come_with_the_scarcest_first(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await locate(database, leeds=1)
    await stock(database, MUG=3, CUP=2, PEN=9)
    await stock_at(database, "leeds", MUG=4, JUG=6)
    await decide(database, request("o-1", JUG=6))
    seen: list[tuple[str, int]] = []
    cursor: str | None = ""
    last = ""
    while cursor is not None:
        page = (await client.get(f"{STOCK}/levels?sort=available&limit=2{cursor}")).json()
        seen += [(one["sku"], one["available"]) for one in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        last = cursor or last
    other = await client.get(f"{STOCK}/levels?limit=2{last}")

    assert seen == [("JUG", 0), ("CUP", 2), ("MUG", 3), ("MUG", 4), ("PEN", 9)]
    assert (other.status_code, other.json()["code"]) == (422, "invalid_cursor")


@on_sqlite
async def test_reservations_tell_what_became_of_an_orders_stock(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=10, CUP=1)
    await decide(database, request("o-1", MUG=4, CUP=1), request("o-2", CUP=1))
    first = await client.get(f"{STOCK}/reservations/o-1")
    known = {"If-None-Match": first.headers["etag"]}
    same = await client.get(f"{STOCK}/reservations/o-1", headers=known)
    await decide(database, confirmed("o-1"), shipment("o-1", "f-1", MUG=3))
    later = await client.get(f"{STOCK}/reservations/o-1", headers=known)
    nobodys = await client.get(f"{STOCK}/reservations/o-9")

    assert first.json() == {
        "order_id": "o-1",
        "state": "held",
        "lines": [
            {"sku": "CUP", "location": "default", "quantity": 1, "issued": 0},
            {"sku": "MUG", "location": "default", "quantity": 4, "issued": 0},
        ],
        "created_at": first.json()["created_at"],
        "updated_at": first.json()["updated_at"],
    }
    assert (same.status_code, same.content) == (304, b"")
    assert (later.status_code, later.json()["state"]) == (200, "committed")
    assert [one["issued"] for one in later.json()["lines"]] == [0, 3]
    assert (nobodys.status_code, nobodys.json()["code"]) == (404, "not_found")


@on_sqlite
async def test_reservations_are_listed_by_sku_and_state(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=10, CUP=1)
    await decide(
        database,
        request("o-1", MUG=1),
        auto("o-2", MUG=1, CUP=1),
        request("o-3", CUP=1),
        request("o-4", MUG=1),
        cancelled("o-1"),
    )

    async def orders(query: str) -> list[str]:
        items = (await client.get(f"{STOCK}/reservations{query}")).json()["items"]
        return [one["order_id"] for one in items]

    assert await orders("") == ["o-4", "o-3", "o-2", "o-1"]
    assert await orders("?sku=MUG") == ["o-4", "o-2", "o-1"]
    assert await orders("?sku=MUG&state=held&state=committed") == ["o-4", "o-2"]
    assert await orders("?state=rejected") == ["o-3"]
    wrong = await client.get(f"{STOCK}/reservations?state=lost")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/state/0")


@two_databases
async def test_cursors_survive_what_comes_in_between(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """New rows on either side of a cursor: no row of the time before is skipped or repeated."""
    await stock(database, B=9, D=9, F=9, H=9)
    await decide(database, *(request(f"o-{number}", B=1) for number in (2, 4, 6, 8)))

    async def walk(path: str, key: str, more: list[str]) -> list[str]:
        seen: list[str] = []
        cursor: str | None = ""
        between = iter(more)
        while cursor is not None:
            page = (await client.get(f"{STOCK}/{path}?limit=1{cursor}")).json()
            seen += [str(one[key]) for one in page["items"]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
            if (new := next(between, None)) is not None:
                await stock(database, **{new: 9})
                await decide(database, request(f"o-{new}", H=1))
        return seen

    by_sku = await walk("levels", "sku", ["C", "A"])
    by_order = await walk("reservations", "order_id", ["9", "0"])
    newest = (await client.get(f"{STOCK}/movements?limit=200")).json()["items"]
    by_id = await walk("movements", "id", ["X", "Y"])

    assert by_sku == ["B", "C", "D", "F", "H"]
    assert by_order == [f"o-{one}" for one in ("C", "A", "9", "8", "6", "4", "2", "0")]
    assert by_id == [str(one["id"]) for one in newest]


@on_sqlite
async def test_verify_finds_what_does_not_add_up(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=10, CUP=1)
    await decide(database, auto("o-1", MUG=2))

    right = await client.get(f"{STOCK}/verify")
    async with database.write() as session:
        await session.execute(text("UPDATE stock_levels SET on_hand = 11 WHERE sku = 'MUG'"))
    wrong = await client.get(f"{STOCK}/verify")

    assert right.json() == {"levels_checked": 2, "drift": []}
    said = {"on_hand": 11, "reserved": 2, "committed": 2}
    assert wrong.json() == {
        "levels_checked": 2,
        "drift": [
            {
                "sku": "MUG",
                "location": "default",
                "counters": said,
                "ledger": {**said, "on_hand": 10},
                "reservations": said,
            }
        ],
    }


@on_sqlite
async def test_a_customers_key_sees_availability_alone(client: httpx2.AsyncClient) -> None:
    async def with_key(**asked: Any) -> dict[str, str]:  # noqa: ANN401 - members of a request
        made = await client.post("/v1/api-keys", json={"name": "k", **asked}, headers=owner)
        return {"Authorization": f"Bearer {made.json()['secret']}"}

    owner: dict[str, str] = {}
    owner = await with_key(scopes=["*"])
    customer = await with_key(scopes=["inventory:read"], customer_id="c-1")
    reader = await with_key(scopes=["inventory:read"])
    receipt = {"lines": [{"sku": "MUG", "quantity": 1}]}

    free = await client.get(f"{STOCK}/availability?sku=MUG", headers=customer)
    levels = await client.get(f"{STOCK}/levels", headers=customer)
    read = await client.get(f"{STOCK}/levels", headers=reader)
    written = await client.post(f"{STOCK}/receipts", json=receipt, headers=reader)
    nobody = await client.get(f"{STOCK}/availability?sku=MUG")

    assert free.status_code == read.status_code == 200
    assert (levels.status_code, levels.json()["code"]) == (403, "not_for_customers")
    assert (written.status_code, written.json()["code"]) == (403, "insufficient_scope")
    assert nobody.status_code == 401
