"""Roles: the same image as API, as worker, or as both, and several of each."""

import json

import anyio
import httpx2

from tests.system.conftest import Deployment
from tests.system.orderly import Shop


def readiness(url: str) -> dict[str, object]:
    body: dict[str, object] = httpx2.get(f"{url}/health/ready").json()
    return body


def loop_names(url: str) -> set[str]:
    loops = readiness(url)["loops"]
    assert isinstance(loops, list)
    return {loop["name"] for loop in loops}


async def test_an_api_without_workers_takes_orders_and_workers_settle_them_later(
    servers: Deployment,
) -> None:
    async with Shop(servers.start("api").url) as shop:
        await shop.stock({"MUG": 100})
        for _ in range(20):
            assert (await shop.order({"MUG": 1}))["status"] == "pending"
        assert await shop.count(status="pending") == 20

        servers.start("worker")
        await shop.all_settled()

        assert await shop.count(status="confirmed") == 20
    await servers.verify()


async def test_a_worker_serves_health_and_nothing_else(servers: Deployment) -> None:
    url = servers.start("worker").url

    assert httpx2.get(f"{url}/health/live").json() == {"status": "live"}
    assert readiness(url)["role"] == "worker"
    assert {"relay", "pauses", "consumer:orders", "consumer:inventory"} <= loop_names(url)
    assert "monitor" not in loop_names(url)
    for path in ("/v1/orders", "/docs", "/openapi.json", "/"):
        assert httpx2.get(url + path).status_code == 404


async def test_workers_can_be_limited_to_some_subscribers(servers: Deployment) -> None:
    inventory = servers.start("worker", subscribers="inventory")
    async with Shop(servers.start("api").url) as shop:
        await shop.stock({"MUG": 100})
        order_id = (await shop.order({"MUG": 1}))["id"]
        with anyio.fail_after(20):
            while await shop.level("MUG") != (100, 1, 99):
                await anyio.sleep(0.01)
        assert (await shop.get(order_id))["status"] == "pending"

        orders = servers.start("worker", subscribers="orders")

        assert (await shop.settled(order_id))["status"] == "confirmed"
        assert "consumer:orders" not in loop_names(inventory.url)
        assert "consumer:inventory" not in loop_names(orders.url)
    await servers.verify()


async def test_two_workers_and_two_apis_share_the_work(servers: Deployment) -> None:
    workers = [servers.start("worker", batch="5", log_level="debug") for _ in range(2)]
    apis = [servers.start("api") for _ in range(2)]
    async with Shop(apis[0].url) as one, Shop(apis[1].url) as two:
        await one.stock({"MUG": 10_000})
        # Until a worker has said so, it may not have joined yet.
        for worker in workers:
            assert readiness(worker.url)["status"] == "ready"

        async def buy(shop: Shop) -> None:
            for _ in range(25):
                await shop.order({"MUG": 1})

        async with anyio.create_task_group() as group:
            for shop in (one, two) * 2:
                group.start_soon(buy, shop)
        await one.all_settled()

        assert await one.count(status="confirmed") == 100
        assert await one.level("MUG") == (10_000, 100, 9_900)
    await servers.verify()
    for worker in workers:
        worker.terminate()
        handled = [json.loads(line) for line in worker.log().splitlines()]
        assert any(line["event"] == "event handled" for line in handled)


async def test_a_key_is_needed_once_one_is_configured(servers: Deployment) -> None:
    key = "a-key-for-this-test"
    url = servers.start("all", api_key=key, host="0.0.0.0").url  # noqa: S104 - what the key is for
    url = url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104

    assert httpx2.get(f"{url}/v1/orders").status_code == 401
    assert httpx2.get(f"{url}/health/ready").status_code == 200
    async with Shop(url, key=key) as shop:
        await shop.stock({"MUG": 1})
        assert (await shop.settled((await shop.order({"MUG": 1}))["id"]))["status"] == "confirmed"
