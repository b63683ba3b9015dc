"""The peers' intake: `python -m bench.peers.intake cte|orm|dual|sqlite`.

Each is FastAPI behind uvicorn as its documentation shows it, with pydantic in and out, and takes
prices from memory where ours reads them from the database. Sources: SQLAlchemy 2.1 "Asyncio
Integration" (one AsyncSession per request, expire_on_commit=False; 32 pooled connections for 32
clients), asyncpg "Connection Pools", and for `dual` the tutorial this project set out from, with
its Redis client kept instead of made anew per event. `sqlite` is the ORM with what makes SQLite
durable and quick: WAL, synchronous=FULL, BEGIN IMMEDIATE, and one connection, which cut its p99 to
a sixth.
"""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uuid_utils.compat
from fastapi import FastAPI
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy import event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    async_sessionmaker,
    create_async_engine,
)

from bench.orders import PRICE_MINOR
from bench.peers.serving import database_url, redis_url, serve
from bench.peers.tables import Base, Line, Order, Outbox, plain

POOL = 32


class NewLine(BaseModel):
    """A line to order."""

    sku: str
    quantity: int


class NewOrder(BaseModel):
    """An order to place."""

    customer_id: str
    lines: list[NewLine]


class OrderView(BaseModel):
    """An order as it was placed."""

    id: UUID
    customer_id: str
    status: str
    total_minor: int
    lines: list[NewLine]


Place = Callable[[NewOrder, OrderView, str], Awaitable[None]]
"""Makes an order durable; takes what was asked for, the answer, and the event as JSON."""


def application(place: Place, lifespan: Any) -> FastAPI:  # noqa: ANN401 - FastAPI's own type
    """Return an application with one route, which answers after place."""
    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def create(order: NewOrder) -> OrderView:
        total = sum(line.quantity for line in order.lines) * PRICE_MINOR
        view = OrderView(
            id=uuid_utils.compat.uuid7(),
            customer_id=order.customer_id,
            status="pending",
            total_minor=total,
            lines=order.lines,
        )
        lines = [line.model_dump() for line in order.lines]
        created = {"id": str(uuid4()), "order_id": str(view.id), "lines": lines}
        await place(order, view, json.dumps(created))
        return view

    return app


def _rows(order: NewOrder, view: OrderView) -> Order:
    return Order(
        id=view.id,
        customer_id=view.customer_id,
        status=view.status,
        total_minor=view.total_minor,
        lines=[
            Line(sku=line.sku, quantity=line.quantity, unit_price_minor=PRICE_MINOR)
            for line in order.lines
        ],
    )


def orm(engine: AsyncEngine, *, make_tables: bool = False) -> FastAPI:
    """Order, lines and outbox row by unit of work, one commit."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def place(order: NewOrder, view: OrderView, created: str) -> None:
        async with sessions() as session:
            session.add(_rows(order, view))
            session.add(Outbox(event_id=uuid4(), type="orders.order_created", payload=created))
            await session.commit()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if make_tables:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    return application(place, lifespan)


def dual() -> FastAPI:
    """Commit by the ORM, then XADD, as the tutorial does: a crash in between loses the event."""
    engine = create_async_engine(database_url(), pool_size=POOL, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    redis = Redis.from_url(redis_url())

    async def place(order: NewOrder, view: OrderView, created: str) -> None:
        async with sessions() as session:
            session.add(_rows(order, view))
            await session.commit()
        await redis.xadd("order-stream", {"payload": created})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await redis.aclose()
        await engine.dispose()

    return application(place, lifespan)


_CTE = """
WITH placed AS (
    INSERT INTO orders (id, customer_id, status, total_minor) VALUES ($1, $2, $3, $4)
), lines AS (
    INSERT INTO order_lines (order_id, sku, quantity, unit_price_minor)
    SELECT $1, * FROM unnest($5::text[], $6::bigint[], $7::bigint[])
)
INSERT INTO outbox (event_id, type, payload) VALUES ($8, 'orders.order_created', $9)
"""


def cte() -> FastAPI:
    """One statement per request through asyncpg's pool: about the best there is by hand."""
    pool: asyncpg.Pool[Any] | None = None

    async def place(order: NewOrder, view: OrderView, created: str) -> None:
        assert pool is not None
        await pool.execute(
            _CTE,
            *(view.id, view.customer_id, view.status, view.total_minor),
            [line.sku for line in order.lines],
            [line.quantity for line in order.lines],
            [PRICE_MINOR] * len(order.lines),
            *(uuid4(), created),
        )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal pool
        async with asyncpg.create_pool(plain(database_url()), min_size=POOL, max_size=POOL) as pool:
            yield

    return application(place, lifespan)


def sqlite_engine(path: Path) -> AsyncEngine:
    """Return an engine for one durable writer."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0, pool_timeout=60
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - the hook's signature
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:  # noqa: ANN401 - the hook's signature
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def main(name: str) -> None:
    """Serve the peer of this name."""
    match name:
        case "cte":
            serve(cte())
        case "dual":
            serve(dual())
        case "sqlite":
            serve(orm(sqlite_engine(Path("peer.db").absolute()), make_tables=True))
        case _:
            serve(orm(create_async_engine(database_url(), pool_size=POOL, max_overflow=0)))


if __name__ == "__main__":
    main(sys.argv[1])
