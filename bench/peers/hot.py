"""One SKU that everybody wants: `python -m bench.peers.hot cte|orm SECONDS CLIENTS`, as one step.

Each client reserves one unit after the other, a transaction for each: by asyncpg one statement with
a conditional UPDATE, by the ORM what `handler.py` does per event.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench.orders import sku_names
from bench.peers.handler import reserve
from bench.peers.serving import database_url, run, spare_the_collector
from bench.peers.tables import plain
from bench.steps import measured

_CTE = """
WITH new AS (
    INSERT INTO inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING event_id
), held AS (
    UPDATE stock SET reserved = reserved + 1
    WHERE sku = $3 AND on_hand - reserved >= 1 AND EXISTS (SELECT FROM new) RETURNING sku
), told AS (
    INSERT INTO reservations (order_id, sku, quantity) SELECT $2, sku, 1 FROM held
)
INSERT INTO outbox (event_id, type, payload) SELECT $2, 'inventory.stock_reserved', '{}' FROM held
"""


async def main(kind: str, seconds: float, clients: int) -> None:
    """Measure one kind of client."""
    [sku] = sku_names(1)
    engine = create_async_engine(database_url(), pool_size=clients, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with asyncpg.create_pool(plain(database_url()), min_size=1, max_size=clients) as pool:

        async def by_cte() -> None:
            await pool.execute(_CTE, uuid4(), uuid4(), sku)

        async def by_orm() -> None:
            lines = [{"sku": sku, "quantity": 1}]
            await reserve(sessions, {"id": str(uuid4()), "order_id": str(uuid4()), "lines": lines})

        one = by_cte if kind == "cte" else by_orm
        await _hammer(one, 0.5, clients)
        spare_the_collector()
        with measured(kind) as step:
            step.units = await _hammer(one, seconds, clients)
    await engine.dispose()


async def _hammer(one: Callable[[], Awaitable[None]], seconds: float, clients: int) -> int:
    until, done = time.monotonic() + seconds, 0

    async def client() -> None:
        nonlocal done
        while time.monotonic() < until:
            await one()
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return done


if __name__ == "__main__":
    run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
