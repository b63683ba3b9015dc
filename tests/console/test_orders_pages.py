"""The pages of orders: found, shown with the way they took, and told what shall happen."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from app.bus.stream import Stream
from app.console import order as order_page, orders as orders_page
from app.db import Database
from app.main import SUBSCRIBERS
from app.modules.inventory.events import Shortage, StockRejected
from app.modules.orders.models.life import OrderStatus
from tests.bus.sample import loops, running, subscribed, until
from tests.console.desk import (
    HOSTILE,
    SQLITE,
    application,
    browsing,
    hidden,
    links,
    live_request,
    text_of,
)
from tests.least_privilege import own_prefix
from tests.orders.rest import CUP, MUG, post, put
from tests.orders.sample import answer, catalogue, draft, issued, placed, reserved, standing_at
from tests.valkey import ValkeyServer

pytestmark = SQLITE


@pytest.fixture
def app(database: Database) -> FastAPI:
    return application(database)


@pytest.fixture
async def client(app: FastAPI, database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    await catalogue(database, MUG=425, CUP=199)
    async with browsing(app) as opened:
        yield opened


async def test_an_empty_list_says_how_the_first_order_comes(client: httpx2.AsyncClient) -> None:
    page = await client.get("/console/orders")

    assert page.status_code == 200
    assert "No orders yet" in text_of(page)


async def test_the_newest_orders_are_listed_and_names_are_only_text(
    client: httpx2.AsyncClient,
) -> None:
    order = (await post(client, ("MUG", 2), customer_id=HOSTILE, reference="كوب")).json()

    page = await client.get("/console/orders")

    assert f"/console/orders/{order['id']}" in links(page, "/console/orders/")
    assert HOSTILE not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<bdi title=" in page.text
    assert "8.50 GBP" in text_of(page)
    assert "/console/live/orders" in page.text


async def test_a_search_understands_an_id_a_reference_a_customer_and_a_sku(
    client: httpx2.AsyncClient,
) -> None:
    one = (await post(client, ("MUG", 1), customer_id="ann", reference="WEB-1")).json()["id"]
    other = (await post(client, ("CUP", 1), customer_id="MUG")).json()["id"]

    by_id = await client.get("/console/orders", params={"q": f" {one} "})
    by_reference = await client.get("/console/orders", params={"q": "WEB-1"})
    by_customer = await client.get("/console/orders", params={"q": "ann"})
    by_either = await client.get("/console/orders", params={"q": "MUG"})
    by_sku = await client.get("/console/orders", params={"q": "sku:MUG"})
    nothing = await client.get("/console/orders", params={"q": "ord_nothing"})

    assert (by_id.status_code, by_id.headers["location"]) == (303, f"/console/orders/{one}")
    assert by_reference.headers["location"] == f"/console/orders/{one}"
    assert "Orders of the customer ann" in text_of(by_customer)
    assert f"/console/orders/{other}" in links(by_either, "/console/orders/")
    assert links(by_either, "/console/orders?q=MUG") == ["/console/orders?q=MUG&in=sku"]
    assert links(by_sku, "/console/orders/ord") == [f"/console/orders/{one}"]
    assert "There is no order ord_nothing" in text_of(nothing)


async def test_pages_keep_their_filters(client: httpx2.AsyncClient, database: Database) -> None:
    await placed(database, *(draft(("MUG", 1)) for _ in range(52)))
    asked = {"status": "pending", "q": "c-1", "from": "2020-01-01T00:00"}

    first = await client.get("/console/orders", params=asked)
    [following] = [one for one in links(first, "/console/orders?") if "cursor" in one]
    second = await client.get(following)

    assert len(links(first, "/console/orders/ord_")) == 50
    assert len(links(second, "/console/orders/ord_")) == 2
    assert "status=pending" in following
    assert "First page" in text_of(second)


async def test_what_the_rest_api_refuses_is_said_and_the_words_stay(
    client: httpx2.AsyncClient,
) -> None:
    page = await client.get("/console/orders", params={"from": "yesterday", "q": "a/b"})

    assert page.status_code == 422
    assert "query /created_from" in text_of(page)
    assert 'value="a/b"' in page.text


async def test_an_order_shows_its_way_its_lines_and_what_may_be_done(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    page = await client.get(f"/console/orders/{order_id}")

    told = text_of(page)
    assert "Its stock is held until" in told
    assert page.text.count('class="life-road taken"') == 2  # in each of the two drawings
    assert page.text.count("life-stop reserved passed here") == 2
    assert "The order is reserved. It was pending at" in page.text
    for form in ("confirm", "extend", "cancel"):
        assert f'action="/console/orders/{order_id}/{form}"' in page.text
    assert f'action="/console/orders/{order_id}/fulfill"' not in page.text
    assert f"/console/live/order?id={order_id}" in page.text


async def test_what_was_short_is_said(client: httpx2.AsyncClient, database: Database) -> None:
    order_id = (await post(client, ("MUG", 3))).json()["id"]
    short = Shortage(sku="MUG", requested=3, available=1)
    await answer(database, StockRejected(order_id=order_id, shortages=(short,)))

    page = await client.get(f"/console/orders/{order_id}")

    assert "MUG : 3 wanted, 1 available" in text_of(page)
    assert "What may be done" not in text_of(page)


async def test_an_unknown_order_is_the_rest_apis_not_found(client: httpx2.AsyncClient) -> None:
    page = await client.get("/console/orders/ord_unknown")

    assert page.status_code == 404
    assert "ord_unknown" in text_of(page)


async def test_commands_go_to_the_version_on_the_page(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    there = f"/console/orders/{order_id}"
    version = hidden(await client.get(there), "version")

    held = await client.post(f"{there}/extend", data={"version": version, "seconds": "7200"})
    stale = await client.post(f"{there}/cancel", data={"version": version, "reason": "Paid twice"})
    fresh = {"version": hidden(stale, "version"), "key": "k-1"}
    confirmed = await client.post(f"{there}/confirm", data=fresh)
    twice = await client.post(f"{there}/confirm", data=fresh)
    done = await client.get(confirmed.headers["location"])

    assert (held.status_code, held.headers["location"]) == (303, f"{there}?done=extend")
    assert stale.status_code == 412
    assert "The order has changed meanwhile" in text_of(stale)
    assert 'value="Paid twice"' in stale.text
    assert (confirmed.status_code, twice.status_code) == (303, 303)
    assert "The order is confirmed." in text_of(done)


async def test_units_are_fulfilled_and_refusals_keep_what_was_typed(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED, ("MUG", 5))
    there = f"/console/orders/{order_id}"
    version = hidden(await client.get(there), "version")
    asked = {"version": version, "sku": "MUG", "tracking": "1Z"}

    much = await client.post(f"{there}/fulfill", data={**asked, "quantity": "six"})
    done = await client.post(f"{there}/fulfill", data={**asked, "quantity": "2"})
    page = await client.get(done.headers["location"])
    fulfillment = hidden(page, "fulfillment")
    kept = await client.post(
        f"{there}/keep",
        data={"version": hidden(page, "version"), "fulfillment": fulfillment},
    )

    assert much.status_code == 422
    assert 'value="six"' in much.text
    assert "/lines/0/quantity" in text_of(much)
    assert done.status_code == 303
    assert "2 being issued" in text_of(page)
    assert kept.headers["location"] == f"{there}?done=keep"


async def test_a_command_that_does_not_exist_is_none(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    refused = await client.post(f"/console/orders/{order_id}/explode", data={"version": "2"})
    asked_for = await client.get(f"/console/orders/{order_id}/cancel")

    assert refused.status_code == 404
    assert asked_for.headers["location"] == f"/console/orders/{order_id}"
    assert (await client.get(f"/v1/orders/{order_id}")).json()["status"] == "reserved"


async def test_who_may_only_look_is_offered_nothing_to_change(database: Database) -> None:
    await catalogue(database, MUG=425)
    order_id = await standing_at(database, OrderStatus.RESERVED)
    async with browsing(application(database, console="read-only")) as client:
        page = await client.get(f"/console/orders/{order_id}")
        refused = await client.post(f"/console/orders/{order_id}/confirm", data={"version": "2"})

    assert page.status_code == 200
    assert f"/console/orders/{order_id}/confirm" not in page.text
    assert refused.status_code == 403


async def test_a_chain_is_drawn_from_the_request_to_its_last_effect(
    client: httpx2.AsyncClient, app: FastAPI, database: Database, valkey: ValkeyServer
) -> None:
    stream = Stream(valkey.url, prefix=own_prefix())
    ours = [each for each in SUBSCRIBERS if each.name in {"orders", "inventory"}]
    await subscribed(database, *ours)
    stock = {"lines": [{"sku": "MUG", "quantity": 5}]}
    assert (await client.post("/v1/inventory/receipts", json=stock)).status_code == 201
    order_id = (await post(client, ("MUG", 2))).json()["id"]
    async with running(*loops(database, stream, ours)):
        await _until_status(client, order_id, "confirmed")
        await until(lambda: _published(client, order_id))
    await stream.close()

    page = await client.get(f"/console/orders/{order_id}")
    [chain] = links(page, "/console/chains/")
    alone = await client.get(chain)
    fragments = await order_page.live(live_request(app, f"id={order_id}"))

    told = text_of(page)
    steps = [
        "orders.order_created.v1",
        "handled by inventory",
        "stock of MUG at default: +2 reserved, +2 committed",
        "inventory.stock_reserved.v1",
        "handled by orders",
        "order: confirm, so pending becomes confirmed",
        "orders.order_confirmed.v1",
    ]
    timeline = told[told.index("Step When") :]
    assert sorted(steps, key=timeline.index) == steps
    assert "everything is done" in told
    for kind in ("outbox", "wait", "run"):
        assert f'class="fall-bar {kind}"' in page.text
    assert alone.status_code == 200
    assert links(alone, "/console/orders/ord_") == [f"/console/orders/{order_id}"]
    parts = ("head", "life", "lines", "actions", "steps", "chain")
    assert set(fragments) == {f"order-{part}" for part in parts}
    for target, html in fragments.items():
        assert html.lstrip().startswith(f'<div id="{target}"')


async def test_the_newest_orders_come_again_while_the_page_is_open(
    client: httpx2.AsyncClient, app: FastAPI
) -> None:
    before = await orders_page.live(live_request(app, ""))
    await put(client, "CUP", CUP)
    await put(client, "MUG", MUG)
    order_id = (await post(client, ("CUP", 1))).json()["id"]

    after = await orders_page.live(live_request(app, ""))

    assert order_id not in before["order-list"]
    assert order_id in after["order-list"]


async def test_a_fulfilled_order_is_at_its_end(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    made = (await client.post(f"/v1/orders/{order_id}/fulfillments")).json()
    await answer(database, reserved(order_id), issued(order_id, made["id"]))

    page = await client.get(f"/console/orders/{order_id}")

    assert "life-stop fulfilled passed here" in page.text
    assert "What may be done" not in text_of(page)


async def _published(client: httpx2.AsyncClient, order_id: str) -> bool:
    chain = (await client.get("/v1/ops/chains", params={"subject": order_id})).json()
    return len(chain["events"]) == 3 and all(one["published_at"] for one in chain["events"])


async def _until_status(client: httpx2.AsyncClient, order_id: str, status: str) -> None:
    async def settled() -> bool:
        found = (await client.get(f"/v1/orders/{order_id}")).json()
        return bool(found["status"] == status)

    await until(settled)
