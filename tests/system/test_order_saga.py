"""An order's way through both contexts, over HTTP, on every deployment."""

import json

import anyio

from tests.system.conftest import Deployment
from tests.system.orderly import Shop


async def test_an_order_is_confirmed_or_rejected_by_events(deployment: Deployment) -> None:
    async with Shop(deployment.start_all().url) as shop:
        await shop.stock({"MUG": 10, "PEN": 1, "INK": 0})

        placed = await shop.order({"MUG": 2})
        confirmed = await shop.settled(placed["id"])
        rejected = await shop.settled((await shop.order({"MUG": 1, "PEN": 2, "INK": 3}))["id"])

        assert placed["status"] == "pending"
        assert placed["total"] == {"amount": "8.50", "currency": "GBP"}
        assert confirmed["status"] == "confirmed"
        assert rejected["status"] == "rejected"
        assert rejected["shortages"] == [
            {"sku": "PEN", "requested": 2, "available": 1},
            {"sku": "INK", "requested": 3, "available": 0},
        ]
        assert await shop.level("MUG") == (10, 2, 8)
        assert await shop.level("PEN") == (1, 0, 1)
    await deployment.verify()


async def test_one_key_is_one_order_however_often_it_is_sent(deployment: Deployment) -> None:
    async with Shop(deployment.start_all().url) as shop:
        await shop.stock({"MUG": 50})

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(shop.order, {"MUG": 1}, "the-same-key")
        await shop.all_settled()

        assert len(set(shop.orders)) == 1
        assert await shop.count() == 1
        assert await shop.level("MUG") == (50, 1, 49)
    await deployment.verify()


_CHAIN = [
    ("inventory", "orders.order_created.v1"),
    ("orders", "inventory.stock_reserved.v1"),
]


async def test_one_correlation_id_leads_through_both_contexts(deployment: Deployment) -> None:
    api = deployment.start_all(log_level="debug")
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 50})
        trace = "0af7651916cd43dd8448eb211c80319c"
        shop.http.headers["X-Correlation-ID"] = "basket-77"
        shop.http.headers["traceparent"] = f"00-{trace}-b7ad6b7169203331-01"

        order_id = (await shop.order({"MUG": 1}))["id"]
        await shop.settled(order_id)

    for process in deployment.processes:
        process.terminate()
    lines = [json.loads(line) for each in deployment.processes for line in each.log().splitlines()]
    chain = [line for line in lines if line.get("correlation_id") == "basket-77"]
    ours = {subscriber for subscriber, _ in _CHAIN}
    handled = [
        line for line in chain if line["event"] == "event handled" and line["subscriber"] in ours
    ]
    assert {line["trace_id"] for line in chain} == {trace}
    assert [(line["subscriber"], line["type"]) for line in handled] == _CHAIN
    assert {line["order_id"] for line in handled} == {order_id}
    assert len({line["event_id"] for line in handled}) == len(handled)
    assert any(line["event"] == "request" and line["method"] == "POST" for line in chain)
