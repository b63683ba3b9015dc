"""What is asked of orders over REST: commands, their conditions, and what stands in their way."""

from datetime import datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from app.bus.sql import later
from app.db import Database
from app.modules.orders.events import OrderExpired
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.tables import orders
from tests.orders.rest import (
    COMMANDS,
    CUP,
    MUG,
    SQLITE,
    application,
    ask,
    client_of,
    placed_at,
    post,
    put,
    timeline,
)
from tests.orders.sample import answer, issued, overdue, published, voided


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the products that these tests order."""
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)


async def test_an_order_goes_its_whole_way(client: httpx2.AsyncClient, database: Database) -> None:
    order_id = await placed_at(client, database, OrderStatus.RESERVED)

    extended = await ask(client, order_id, "extend", {"seconds": 1800})
    confirmed = await ask(client, order_id, "confirm")
    part = await ask(
        client,
        order_id,
        "fulfillments",
        {"lines": [{"sku": "MUG", "quantity": 1}], "tracking": "T-1"},
    )
    await answer(database, issued(order_id, part.json()["id"]))
    rest = await ask(client, order_id, "fulfillments")
    await answer(database, issued(order_id, rest.json()["id"]))
    done = (await client.get(f"/v1/orders/{order_id}")).json()

    assert extended.json()["expires_at"] > confirmed.json()["reserved_at"]
    assert [one.status_code for one in (extended, confirmed, part, rest)] == [200, 200, 201, 201]
    etags = [one.headers["etag"] for one in (extended, confirmed, part, rest)]
    assert etags == ['"3"', '"4"', '"5"', '"7"']
    assert confirmed.json()["allowed_actions"] == ["cancel", "fulfill"]
    assert part.headers["location"] == f"/v1/orders/{order_id}/fulfillments/{part.json()['id']}"
    assert part.json()["tracking"] == "T-1"
    assert part.json()["lines"] == rest.json()["lines"] == [{"sku": "MUG", "quantity": 1}]
    assert (done["status"], done["allowed_actions"], done["version"]) == ("fulfilled", [], 9)
    assert [one["status"] for one in done["fulfillments"]] == ["issued", "issued"]
    assert done["lines"][0]["fulfilled"] == 2
    way = ["place", "reserve", "extend", "confirm", "fulfill", "fulfillment_issued"]
    assert await timeline(client, order_id) == [*way, "fulfill", "fulfillment_issued", "complete"]


async def test_fulfillments_are_found_and_cancelled(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.CONFIRMED)
    first = await ask(client, order_id, "fulfillments", {"lines": [{"sku": "MUG", "quantity": 1}]})
    second = await ask(client, order_id, "fulfillments")
    at = first.headers["location"]

    shown = await client.get(at)
    page = (await client.get(f"/v1/orders/{order_id}/fulfillments?limit=1")).json()
    rest = await client.get(
        f"/v1/orders/{order_id}/fulfillments", params={"cursor": page["next_cursor"]}
    )
    blocked = await ask(client, order_id, "cancel")
    cancelling = await client.post(f"{at}/cancel")
    again = await client.post(f"{at}/cancel")
    await answer(database, voided(order_id, first.json()["id"]))
    await answer(database, issued(order_id, second.json()["id"]))
    cancelled = await client.get(at, headers={"If-None-Match": shown.headers["etag"]})
    gone = await client.post(f"{second.headers['location']}/cancel")

    assert shown.json() == first.json() == page["items"][0]
    assert [one["id"] for one in rest.json()["items"]] == [second.json()["id"]]
    assert (blocked.status_code, blocked.json()["allowed_actions"]) == (409, [])
    assert cancelling.json()["status"] == again.json()["status"] == "cancelling"
    assert cancelling.headers["etag"] == again.headers["etag"] == '"6"'
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (gone.status_code, gone.json()["code"]) == (409, "fulfillment_issued")
    assert (await client.get(f"{at}x")).status_code == 404


async def test_what_an_order_does_not_allow_is_refused_with_what_it_does(
    client: httpx2.AsyncClient, database: Database
) -> None:
    pending = await placed_at(client, database)
    confirmed = await placed_at(client, database, OrderStatus.CONFIRMED)

    early = await ask(client, pending, "confirm")
    late = await ask(client, confirmed, "extend")
    too_much = await ask(
        client, confirmed, "fulfillments", {"lines": [{"sku": "MUG", "quantity": 3}]}
    )
    cancelled = await ask(client, pending, "cancel", {"reason": "Paid twice"})
    twice = await ask(client, pending, "cancel")

    assert (early.status_code, early.json()["code"]) == (409, "order_state_conflict")
    assert early.json()["current_status"] == "pending"
    assert early.json()["allowed_actions"] == ["cancel"]
    assert late.json()["current_status"] == "confirmed"
    assert late.json()["allowed_actions"] == ["cancel", "fulfill"]
    assert (too_much.status_code, too_much.json()["code"]) == (409, "exceeds_open_quantity")
    assert too_much.json()["lines"] == [{"sku": "MUG", "requested": 3, "open": 2}]
    assert cancelled.json()["cancel_reason"] == "Paid twice"
    assert (twice.status_code, twice.json()["allowed_actions"]) == (409, [])


@SQLITE
async def test_an_order_is_not_held_for_longer_than_the_setting_allows(
    database: Database,
) -> None:
    async with client_of(application(database, hold_limit_s=1000)) as client:
        order_id = await placed_at(client, database, OrderStatus.RESERVED)

        refused = await ask(client, order_id, "extend", {"seconds": 1100})
        unsaid = await ask(client, order_id, "extend")

    assert (refused.status_code, refused.json()["code"]) == (409, "extend_limit")
    assert refused.json()["latest"].endswith("Z")
    assert datetime.fromisoformat(refused.json()["latest"]).tzinfo is not None
    assert unsaid.status_code == 200


@SQLITE
@pytest.mark.parametrize(
    ("command", "body", "pointer"),
    [
        ("confirm", {"now": True}, "/now"),
        ("extend", {"seconds": 59}, "/seconds"),
        ("extend", {"seconds": 2**31}, "/seconds"),
        ("extend", {"seconds": "900"}, "/seconds"),
        ("cancel", {"reason": ""}, "/reason"),
        ("cancel", {"reason": "a\u0000b"}, "/reason"),
        ("cancel", {"why": "so"}, "/why"),
        ("fulfillments", {"lines": []}, "/lines"),
        ("fulfillments", {"lines": [{"sku": "MUG", "quantity": 0}]}, "/lines/0/quantity"),
        ("fulfillments", {"tracking": " "}, "/tracking"),
    ],
)
async def test_what_is_wrong_with_a_command_is_pointed_at(
    client: httpx2.AsyncClient, command: str, body: dict[str, Any], pointer: str
) -> None:
    refused = await ask(client, "ord_0", command, body)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


@SQLITE
@pytest.mark.parametrize("command", [*COMMANDS, "fulfillments/ful_0/cancel"])
async def test_an_order_that_is_not_there_cannot_be_asked(
    client: httpx2.AsyncClient, command: str
) -> None:
    missing = await ask(client, "ord_0", command)

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_timeline_is_read_page_by_page(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.CONFIRMED)

    whole = (await client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    seen: list[Any] = []
    query: dict[str, Any] = {"limit": 1}
    while query.get("cursor", "") is not None:
        page = (await client.get(f"/v1/orders/{order_id}/timeline", params=query)).json()
        seen += page["items"]
        query["cursor"] = page["next_cursor"]

    assert seen == whole
    assert [entry["version"] for entry in whole] == [1, 2, 3]
    assert whole[0]["actor"] == whole[2]["actor"] == "open"
    assert whole[1]["event_type"] == "inventory.stock_reserved.v1"
    assert whole[0]["latency_ms"] is None
    assert whole[2]["latency_ms"] >= 0


async def test_what_is_stuck_is_listed(client: httpx2.AsyncClient, database: Database) -> None:
    pending = await placed_at(client, database)
    held = [await placed_at(client, database, OrderStatus.RESERVED) for _ in range(2)]
    shipping = await placed_at(client, database, OrderStatus.CONFIRMED)
    fulfillment = (await ask(client, shipping, "fulfillments")).json()["id"]
    async with database.write() as session:
        # Both at the same moment: only their ids tell them apart.
        is_held = orders.c.id.in_(held)
        await session.execute(update(orders).where(is_held).values(expires_at=later(-300)))

    async def stuck(**query: object) -> tuple[list[tuple[str, str]], str | None]:
        wanted = httpx2.QueryParams({"older_than_s": 0, **query})  # type: ignore[dict-item]  # any values
        found = (await client.get("/v1/ops/sagas", params=wanted)).json()
        items = found["items"]
        stuck = [(one["waits_for"], one["fulfillment_id"] or one["order_id"]) for one in items]
        return stuck, found["next_cursor"]

    everything = [("expiry", order_id) for order_id in sorted(held)]
    everything += [("decision", pending), ("issue", fulfillment)]
    paged: list[tuple[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = await stuck(limit=1, **({"cursor": cursor} if cursor else {}))
        paged += page

    assert await stuck() == (everything, None)
    assert paged == everything
    assert (await stuck(waits_for=["decision", "issue"]))[0] == everything[2:]
    assert (await stuck(older_than_s=60))[0] == everything[:2]
    assert (await client.get("/v1/ops/sagas")).json()["items"][0]["order_id"] == min(held)


@SQLITE
@pytest.mark.parametrize("query", ["older_than_s=-1", "waits_for=money", "cursor=x", "limit=1.0"])
async def test_the_list_of_what_is_stuck_refuses_what_it_does_not_know(
    client: httpx2.AsyncClient, query: str
) -> None:
    assert (await client.get(f"/v1/ops/sagas?{query}")).status_code == 422


async def test_a_command_that_is_refused_publishes_nothing(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)
    before = len(await published(database))

    for command in ("confirm", "extend", "fulfillments"):
        assert (await ask(client, order_id, command)).status_code == 409

    assert len(await published(database)) == before


@SQLITE
async def test_a_hold_that_ends_during_a_request_is_none_of_its_news(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.RESERVED)
    await overdue(database, order_id)

    await post(client, ("MUG", 1))

    [expired] = [one for one in await published(database) if isinstance(one, OrderExpired)]
    consequence = expired.consequence()
    assert (consequence.correlation_id, expired.subject) == (str(expired.id), order_id)
