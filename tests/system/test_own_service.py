"""Inventory as a service of its own: its own database, its own stream, and a bridge each way.

What docs/from-the-tutorial.md says of moving a module out, done.
"""

import runpy
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.db import Database, postgresql
from app.invariants import BETWEEN, INVARIANTS
from app.modules.inventory import handlers as inventory_handlers
from app.modules.orders import handlers as orders_handlers
from tests import least_privilege
from tests.starter import ROOT
from tests.system.conftest import Deployment
from tests.system.orderly import Orderly, Shop

BRIDGE: dict[str, Any] = runpy.run_path(str(ROOT / "examples" / "own_service" / "bridge.py"))

# What each listens to is what the other's feed is asked for.
OF_ORDERS = tuple(inventory_handlers.subscriber.handlers)
OF_INVENTORY = tuple(orders_handlers.subscriber.handlers)


class Apart(Orderly):
    """A process of one module."""

    module = "tests.system.apart"


class Service:
    """One module with a database and a stream of its own."""

    def __init__(self, module: str, deployment: Deployment) -> None:
        environment = {**deployment.environment, "APP_ROLE": "all", "TEST_MODULE": module}
        self.process = Apart(deployment.directory, environment)
        deployment.stack.enter_context(self.process)
        self.url = self.process.url
        self.database: Database = postgresql(deployment.environment["DATABASE_URL"], pool=2)

    async def offenders(self) -> dict[str, list[str]]:
        """Return what breaks an invariant that is about this service alone."""
        async with self.database.read() as session:
            return {
                one.name: found
                for one in INVARIANTS
                if one not in BETWEEN and (found := list(await session.scalars(text(one.query))))
            }


async def bridge(source: Service, target: Service, types: tuple[str, ...]) -> None:
    """Carry these types from one service to the other until cancelled."""
    async with httpx2.AsyncClient(base_url=source.url, timeout=30) as feed:
        while True:
            await BRIDGE["carry"](feed, target.database, source.url, types)


async def copy(source: Deployment, target: Deployment) -> None:
    """Put a copy of one deployment's database in place of another's; nobody may be connected."""
    urls = [make_url(one.environment["DATABASE_URL"]) for one in (source, target)]
    admin = urls[0].set(drivername="postgresql+asyncpg", database="postgres")
    if least_privilege.ASKED:
        admin = admin.set(username="postgres")
    engine = create_async_engine(admin, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'DROP DATABASE "{urls[1].database}"'))
        await connection.execute(
            text(f'CREATE DATABASE "{urls[1].database}" TEMPLATE "{urls[0].database}"')
        )
    await engine.dispose()


@pytest.fixture
def deployments(deploy: Callable[[str], Deployment]) -> tuple[Deployment, Deployment]:
    """Make two deployments, each with a database and a stream of its own."""
    return deploy("pg18"), deploy("pg18")


async def test_a_module_moves_into_a_service_of_its_own(
    deployments: tuple[Deployment, Deployment],
) -> None:
    together, new = deployments
    with Orderly(together.directory, together.environment) as one:
        async with Shop(one.url) as shop:
            await shop.stock({"MUG": 8})
            old = await shop.order({"MUG": 3})
            assert (await shop.settled(old["id"]))["status"] == "confirmed"
        await together.verify()
        one.terminate()
    await copy(together, new)

    orders, inventory = Service("orders", together), Service("inventory", new)
    for service in (orders, inventory):
        async with least_privilege.as_owner(service.database) as connection:
            await connection.execute(BRIDGE["TABLE"])
    async with (
        anyio.create_task_group() as group,
        Shop(orders.url) as shop,
        Shop(inventory.url) as warehouse,
    ):
        group.start_soon(bridge, orders, inventory, OF_ORDERS)
        group.start_soon(bridge, inventory, orders, OF_INVENTORY)
        # Nobody here hears what the other side's subscriber is owed.
        gone = await warehouse.http.delete("/v1/ops/subscribers/orders")
        assert gone.is_success, gone.text

        kept = await shop.order({"MUG": 3})
        assert (await shop.settled(kept["id"]))["status"] == "confirmed"
        late = await shop.order({"MUG": 3})
        assert (await shop.settled(late["id"]))["status"] == "rejected"
        await shop.http.post(f"/v1/orders/{old['id']}/cancel", json={"reason": "Late"})
        with anyio.fail_after(30):
            while await warehouse.level("MUG") != (8, 3, 5):
                await anyio.sleep(0.05)

        # Everything once more from the beginning: the ids keep the copies out.
        for target, source, types in (
            (inventory, orders, OF_ORDERS),
            (orders, inventory, OF_INVENTORY),
        ):
            async with httpx2.AsyncClient(base_url=source.url, timeout=30) as feed:
                assert await BRIDGE["carry"](feed, target.database, "again", types) == 0
        group.cancel_scope.cancel()

    assert await orders.offenders() == {}
    assert await inventory.offenders() == {}
    for service in (orders, inventory):
        await service.database.close()
