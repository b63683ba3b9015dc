"""Lists that are filtered read no more than their page: an index has the rows in their order."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.modules.inventory.service.read import list_movements
from app.modules.orders.service.read import list_orders
from tests.bus.plans import explained, nodes
from tests.least_privilege import as_owner

Page = Callable[[AsyncSession], Awaitable[int]]

LIMIT = 5

# Two lines per order, of a hundred SKUs, and movements at fifty places.
FILL = """
INSERT INTO orders (id, customer_id, status, currency, total_minor, version)
SELECT 'ord_' || (100000 + n), 'c-' || (n % 50), 'pending', 'GBP', 0, 1 FROM numbers;
INSERT INTO order_lines (order_id, sku, position, title, quantity, unit_price_minor)
SELECT 'ord_' || (100000 + n), 'SKU-' || (n % 50), 0, 'Mug', 1, 0 FROM numbers;
INSERT INTO order_lines (order_id, sku, position, title, quantity, unit_price_minor)
SELECT 'ord_' || (100000 + n), 'SKU-' || (50 + n % 50), 1, 'Cup', 1, 0 FROM numbers;
INSERT INTO stock_movements (sku, location, kind, d_on_hand, d_reserved, on_hand_after,
                             reserved_after)
SELECT 'SKU-' || (n % 50), 'shelf-' || (n % 50), 'receive', 1, 0, 1, 0 FROM numbers
"""
NUMBERS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
"""


@pytest.fixture
async def filled(database: Database) -> Database:
    """Fill a database with 10,000 orders and as many movements."""
    async with database.write() as session:
        for statement in FILL.split(";"):
            await session.execute(text(NUMBERS + statement))
    if not database.single_writer:
        async with as_owner(database) as connection:
            await connection.execute(text("ANALYZE orders, order_lines, stock_movements"))
    return database


async def orders_of_a_sku(session: AsyncSession) -> int:
    return len(await list_orders(session, sku="SKU-7", before="ord_109000", limit=LIMIT))


async def movements_at_a_location(session: AsyncSession) -> int:
    return len(await list_movements(session, location="shelf-7", before=2**40, limit=LIMIT))


@pytest.mark.parametrize(
    ("page", "index"),
    [
        (orders_of_a_sku, "ix_order_lines_sku_order_id"),
        (movements_at_a_location, "ix_stock_movements_location_id"),
    ],
)
async def test_a_page_is_read_from_an_index_in_its_order(
    filled: Database, page: Page, index: str
) -> None:
    async with filled.writer.connect() as connection, AsyncSession(connection) as session:
        async with explained(filled, session) as plans:
            assert await page(session) == LIMIT
        await session.rollback()

    plan = plans[-1]
    shown = json.dumps(plan, indent=1)
    assert index in shown
    if filled.single_writer:
        assert "TEMP B-TREE" not in shown
        assert "SCAN" not in shown
    else:
        steps = list(nodes(plan))
        assert not {"Sort", "Seq Scan", "Incremental Sort"} & {one["Node Type"] for one in steps}
        assert looked_at(plan) < 500, shown


async def test_a_list_of_an_old_day_reads_no_order_since(filled: Database) -> None:
    until = datetime(2001, 1, 1, tzinfo=UTC)
    async with filled.writer.connect() as connection, AsyncSession(connection) as session:
        async with explained(filled, session) as plans:
            assert await list_orders(session, created_until=until, limit=LIMIT) == []
        await session.rollback()

    shown = json.dumps(plans[-1], indent=1)
    if filled.single_writer:
        assert "SEARCH orders" in shown
    else:
        assert looked_at(plans[-1]) == 0, shown


def looked_at(plan: dict[str, Any]) -> float:
    """Return how many rows of any table PostgreSQL's plan looked at."""
    total: float = sum(
        (one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"]
        for one in nodes(plan)
        if "Relation Name" in one
    )
    return total
