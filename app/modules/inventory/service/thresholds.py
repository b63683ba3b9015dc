"""Thresholds: what the world is told when a SKU runs low, out, or is back."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import String, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.sql import rows
from app.modules.inventory.events import StockBack, StockLow, StockOut
from app.modules.inventory.models.tables import locations, stock_items, stock_levels


@dataclass(frozen=True, slots=True)
class Marks:
    """How a SKU is kept: units never promised, and what counts as low."""

    safety_stock: int
    low_stock_at: int


NO_MARKS = Marks(0, 0)
"""How a SKU without an item is kept."""


def crossing(sku: str, before: int, was: Marks, after: int, marks: Marks) -> Event | None:
    """Return what a SKU became when so many units were free before and so many are now.

    Free units may be negative, when less is left than is kept back. None while it stays what it
    was: a SKU that is low and loses another unit is not told of again.
    """
    if after <= 0:
        return StockOut(sku=sku) if before > 0 else None
    if before <= 0:
        return StockBack(sku=sku, available=after)
    if after <= marks.low_stock_at and before > was.low_stock_at:
        return StockLow(sku=sku, available=after, low_stock_at=marks.low_stock_at)
    return None


async def free_now(session: AsyncSession, skus: Sequence[str]) -> dict[str, int]:
    """Return the free units of SKUs that have levels, less their safety stock: one statement."""
    asked = rows(session, sku=(String(), skus))
    free = case((locations.c.active, stock_levels.c.on_hand - stock_levels.c.reserved), else_=0)
    kept_back = func.coalesce(func.max(stock_items.c.safety_stock), 0)
    found = await session.execute(
        select(stock_levels.c.sku, func.sum(free) - kept_back)
        .join(asked, stock_levels.c.sku == asked.c.sku)
        .join(locations, locations.c.id == stock_levels.c.location)
        .outerjoin(stock_items, stock_items.c.sku == stock_levels.c.sku)
        .group_by(stock_levels.c.sku)
    )
    return {sku: int(units) for sku, units in found}
