"""Two builds of the program side by side, as processes: one tells a fact the other knows not."""

from collections.abc import AsyncIterator

import anyio
import pytest

from app import db
from app.db import Database
from tests.bus.sample import delivery_rows, handled_count, until
from tests.system.conftest import Deployment
from tests.system.new_build import GREETED
from tests.system.orderly import Orderly, Shop

FAR = {"APP_CLAIM_IDLE_S": "300", "APP_RECONCILE_AFTER_S": "300"}
"""Whatever an old worker kept to itself, or acknowledged in vain, would show: no net is quicker."""

ORDERS = 15
"""How many of them each client places."""


class NewBuild(Orderly):
    """A process of tomorrow's build."""

    module = "tests.system.new_build"


def start(servers: Deployment, kind: type[Orderly], role: str) -> Orderly:
    """Start a process of a build, which ends with the test."""
    environment = {**servers.environment, **FAR, "APP_ROLE": role, "APP_BATCH": "5"}
    return servers.stack.enter_context(kind(servers.directory, environment))


@pytest.fixture
async def database(servers: Deployment) -> AsyncIterator[Database]:
    """Look into the deployment's database."""
    opened = db.postgresql(servers.environment["DATABASE_URL"])
    yield opened
    await opened.close()


async def place(*shops: Shop) -> None:
    """Have a client of each shop place orders, all at once."""

    async def buy(shop: Shop) -> None:
        for _ in range(ORDERS):
            await shop.order({"MUG": 1})

    async with anyio.create_task_group() as group:
        for shop in shops:
            group.start_soon(buy, shop)


async def test_the_old_build_settles_orders_and_leaves_what_is_new_to_the_new_one(
    servers: Deployment, database: Database
) -> None:
    start(servers, Orderly, "worker")
    old = start(servers, Orderly, "api")
    new = start(servers, NewBuild, "api")
    async with Shop(old.url) as today, Shop(new.url) as tomorrow:
        await today.stock({"MUG": 1000})

        async def waiting(count: int) -> bool:
            rows = await delivery_rows(database, "inventory")
            return [(row.state, row.reason) for row in rows] == [("due", "parked")] * count

        # The old worker alone: every order is settled, and what it knows not waits.
        await place(today, tomorrow)
        await today.all_settled(timeout_s=30)
        await until(lambda: waiting(ORDERS), timeout_s=30)
        assert await handled_count(database, GREETED) == 0

        # Both: it is run by the new worker, once, whichever of the two read it.
        newer = start(servers, NewBuild, "worker")
        await place(today, tomorrow, tomorrow)
        await tomorrow.all_settled(timeout_s=30)
        await until(lambda: waiting(0), timeout_s=30)
        assert await handled_count(database, GREETED) == 3 * ORDERS
        assert await today.count(status="confirmed") == 5 * ORDERS

        # Back again: an old worker settles what is left to it after the new one is gone.
        assert newer.terminate()[0] == 0
        await place(today)
        await today.all_settled(timeout_s=30)
    await servers.verify()
