"""Locations and items over REST: what is versioned, and what it changes for orders."""

import httpx2
import pytest

from app.db import Database
from app.modules.inventory.events import StockBack, StockLow, StockOut
from tests.inventory.sample import decide, request, reserved_orders, said, state, stock

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)

LEEDS = "/v1/inventory/locations/leeds"
MUG = "/v1/inventory/items/MUG"
KEPT = {"safety_stock": 2, "low_stock_at": 5}


async def test_a_location_is_made_changed_and_kept(client: httpx2.AsyncClient) -> None:
    made = await client.put(LEEDS, json={"name": "Leeds", "priority": 10})
    same = await client.put(LEEDS, json={"name": "Leeds", "priority": 10, "active": True})
    changed = await client.put(LEEDS, json={"priority": -1})
    got = await client.get(LEEDS)

    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.headers["location"] == LEEDS
    assert made.json() == {
        "id": "leeds",
        "name": "Leeds",
        "priority": 10,
        "active": True,
        "created_at": made.json()["created_at"],
    }
    assert (same.status_code, same.headers["etag"], same.json()) == (200, '"1"', made.json())
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert got.json() == changed.json() == {**made.json(), "name": None, "priority": -1}
    assert got.headers["etag"] == '"2"'


@pytest.mark.parametrize("url", [LEEDS, MUG])
async def test_only_the_version_that_was_seen_is_replaced(
    client: httpx2.AsyncClient, url: str
) -> None:
    body = KEPT if url == MUG else {"name": "Leeds"}
    other = {**KEPT, "low_stock_at": 6} if url == MUG else {"name": "York"}
    match = "If-Match"
    missing = await client.put(url, json=body, headers={match: "*"})
    await client.put(url, json=body, headers={"If-None-Match": "*"})
    again = await client.put(url, json=other, headers={"If-None-Match": "*"})
    stale = await client.put(url, json=other, headers={match: '"7", W/"1"'})
    first = await client.get(url)
    known = await client.get(url, headers={"If-None-Match": '"1"'})
    changed = await client.put(url, json=other, headers={match: '"7", "1"'})
    newer = await client.get(url, headers={"If-None-Match": '"1"'})

    for refused in (missing, again, stale):
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert (missing.json()["current_version"], stale.json()["current_version"]) == (None, 1)
    assert first.headers["etag"] == '"1"'
    assert body.items() <= first.json().items()
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", '"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (newer.status_code, newer.json()) == (200, changed.json())


async def test_a_location_that_is_off_offers_nothing(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=3)
    await decide(database, request("o-1", MUG=1))

    off = await client.put("/v1/inventory/locations/default", json={"active": False})
    await decide(database, request("o-2", MUG=1))
    free = await client.get("/v1/inventory/availability?sku=MUG")
    level = await client.get("/v1/inventory/levels?location=default")
    await client.put("/v1/inventory/locations/default", json={"active": True})
    await decide(database, request("o-3", MUG=1))

    assert off.status_code == 200
    assert await reserved_orders(database) == ["o-1", "o-3"]
    assert await state(database, "o-2") == "rejected"
    assert free.json()["items"] == [{"sku": "MUG", "available": 0, "in_stock": False}]
    assert [one["on_hand"] for one in level.json()["items"]] == [3]
    assert [type(one) for one in await said(database, StockOut, StockBack)] == [StockOut, StockBack]


async def test_how_a_sku_is_kept_decides_what_is_promised(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=7)

    nothing_said = await client.get(MUG)
    made = await client.put(MUG, json=KEPT)
    await decide(database, request("o-1", MUG=6))
    free = await client.get("/v1/inventory/availability?sku=MUG")

    assert (nothing_said.status_code, nothing_said.json()["code"]) == (404, "not_found")
    assert (made.status_code, made.headers["location"]) == (201, MUG)
    assert made.json() == {"sku": "MUG", **KEPT, "updated_at": made.json()["updated_at"]}
    assert free.json()["items"][0]["available"] == 5
    assert await state(database, "o-1") == "rejected"
    [low] = await said(database, StockLow)
    assert isinstance(low, StockLow)
    assert (low.available, low.low_stock_at) == (5, 5)


async def test_a_sku_is_escaped_in_its_address(client: httpx2.AsyncClient) -> None:
    made = await client.put("/v1/inventory/items/a%3Fb%20c", json=KEPT)

    assert made.headers["location"] == "/v1/inventory/items/a%3Fb%20c"
    assert (await client.get(made.headers["location"])).json()["sku"] == "a?b c"


async def test_lists_are_in_the_order_of_their_keys(client: httpx2.AsyncClient) -> None:
    for name in ("b", "c", "a"):
        await client.put(f"/v1/inventory/locations/{name}", json={})
        await client.put(f"/v1/inventory/items/{name}", json=KEPT)

    for path, key, all_of_them in (
        ("/v1/inventory/locations", "id", ["a", "b", "c", "default"]),
        ("/v1/inventory/items", "sku", ["a", "b", "c"]),
    ):
        first = (await client.get(f"{path}?limit=2")).json()
        rest = (await client.get(f"{path}?limit=2&cursor={first['next_cursor']}")).json()

        assert [one[key] for one in first["items"] + rest["items"]] == all_of_them
        assert rest["next_cursor"] is None


async def test_what_cannot_be_kept_is_refused(client: httpx2.AsyncClient) -> None:
    for url, body, pointer in (
        (LEEDS, {"priority": 1_000_001}, "/priority"),
        (LEEDS, {"active": "yes"}, "/active"),
        (LEEDS, {"name": "a\x00b"}, "/name"),
        (LEEDS, {"colour": "red"}, "/colour"),
        ("/v1/inventory/locations/a%20b", {}, "/location_id"),
        ("/v1/inventory/locations/.hidden", {}, "/location_id"),
        (MUG, {"safety_stock": 2}, "/low_stock_at"),
        (MUG, {**KEPT, "safety_stock": -1}, "/safety_stock"),
        (MUG, {**KEPT, "safety_stock": 10**15 + 1}, "/safety_stock"),
        (MUG, {**KEPT, "safety_stock": 1.5}, "/safety_stock"),
    ):
        refused = await client.put(url, json=body)

        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed"), body
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
