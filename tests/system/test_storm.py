"""A storm over HTTP: hundreds of orders at once for the same few units, and not one too many."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

import anyio
import httpx2
from sqlalchemy import text

from app import db
from tests.system.conftest import Deployment
from tests.system.orderly import Shop

LAST = "LAST"
OTHERS = tuple(f"SKU-{number:02}" for number in range(20))


def baskets(number: int) -> list[dict[str, int]]:
    """Return so many orders for one of the last units and a few others.

    Every second one names the same SKUs the other way round.
    """
    random = Random(7)
    return [
        dict.fromkeys(sorted([LAST, *random.sample(OTHERS, 2)], reverse=number % 2 == 1), 1)
        for number in range(number)
    ]


async def storm(shop: Shop, orders: Sequence[Mapping[str, int]]) -> None:
    """Place these orders all at once, and wait until inventory has answered for them."""

    async def buy(number: int, lines: Mapping[str, int]) -> None:
        # Whoever is told that there is too much to do comes back, with the same key; so does
        # whoever was told nothing for long, as on a machine that is busy.
        while True:
            try:
                await shop.order(lines, key=f"buyer-{number}")
            except httpx2.HTTPStatusError as error:
                busy = {httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.CONFLICT}
                if error.response.status_code not in busy:
                    raise
                await anyio.sleep(0.5)
            except httpx2.TimeoutException:
                continue
            else:
                return

    async with anyio.create_task_group() as buyers:
        for number, lines in enumerate(orders):
            buyers.start_soon(buy, number, lines)
    await shop.all_settled(timeout_s=100)


async def check_storm(shop: Shop, buyers: int, units: int) -> None:
    """Sell more than there is, from two places, and see that exactly all of it was sold."""
    await shop.stock({LAST: units - units // 3} | dict.fromkeys(OTHERS, buyers))
    await shop.stock_at("far", {LAST: units // 3} | dict.fromkeys(OTHERS, buyers))
    orders = baskets(buyers)

    await storm(shop, orders)

    sold = {status: await shop.count(status=status) for status in ("confirmed", "rejected")}
    assert sold == {"confirmed": units, "rejected": buyers - units}
    reserved: Counter[str] = Counter()
    for level in await shop.items("/v1/inventory/levels", limit=100):
        reserved[level["sku"]] += level["reserved"]
        assert level["sku"] != LAST or level["reserved"] == level["on_hand"]
    assert reserved[LAST] == units
    assert reserved.total() == 3 * units


async def deadlocks(url: str) -> int:
    """Return how many deadlocks PostgreSQL has broken in this database."""
    database = db.postgresql(url)
    try:
        async with database.read() as session:
            query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            return int(await session.scalar(text(query)) or 0)
    finally:
        await database.close()


async def test_three_workers_sell_what_there_is_and_never_wait_for_each_other(
    servers: Deployment,
) -> None:
    url = servers.environment["DATABASE_URL"]
    before = await deadlocks(url)
    process = servers.start("api")
    for _ in range(3):
        servers.start("worker", batch="20")

    async with Shop(process.url) as shop:
        await check_storm(shop, buyers=500, units=100)

    await servers.verify()
    assert await deadlocks(url) == before


async def test_one_process_sells_what_there_is(deploy: Callable[[str], Deployment]) -> None:
    deployment = deploy("embedded")
    async with Shop(deployment.start_all().url) as shop:
        await check_storm(shop, buyers=80, units=16)
    await deployment.verify()
