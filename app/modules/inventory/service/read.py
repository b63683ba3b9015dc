"""Reading stock: levels, the ledger, and what can be promised."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import rows
from app.modules.inventory.models.drafts import Availability, ShelfLevel
from app.modules.inventory.models.tables import (
    MovementKind,
    StockMovement,
    locations,
    stock_items,
    stock_levels,
)

LevelKey = tuple[str, str] | tuple[int, str, str]
"""Where a page of levels ends: SKU and location, behind the free units if those come first."""


async def list_levels(  # noqa: PLR0913 - a filter each
    session: AsyncSession,
    *,
    skus: Sequence[str] = (),
    sku_prefix: str | None = None,
    location: str | None = None,
    low: bool = False,
    scarce_first: bool = False,
    after: LevelKey | None,
    limit: int,
) -> list[ShelfLevel]:
    """Return up to limit levels by (sku, location), those after the given one.

    No skus means all, no location everywhere; a SKU that was never received has no level. low
    leaves those of SKUs that are low or out, over all locations. scarce_first puts before SKU and
    location how many units are free there; it goes through every level, because an index on that
    would have to change with every order.
    """
    key: tuple[ColumnElement[Any], ...] = (stock_levels.c.sku, stock_levels.c.location)
    if scarce_first:
        key = (stock_levels.c.on_hand - stock_levels.c.reserved, *key)
    page = _LEVELS.order_by(*key).limit(limit)
    if skus:
        page = page.where(stock_levels.c.sku.in_(skus))
    if sku_prefix:
        # As a stretch of the key, which both databases keep by bytes; the end is past every letter.
        page = page.where(stock_levels.c.sku.between(sku_prefix, sku_prefix + "\U0010ffff"))
    if location is not None:
        page = page.where(stock_levels.c.location == location)
    if low:
        page = page.where(stock_levels.c.sku.in_(_low()))
    if after is not None:
        last = (literal(part, column.type) for part, column in zip(after, key, strict=True))
        page = page.where(tuple_(*key) > tuple_(*last))
    return [ShelfLevel(*row) for row in await session.execute(page)]


_LEVELS = select(
    stock_levels.c.sku,
    stock_levels.c.location,
    stock_levels.c.on_hand,
    stock_levels.c.reserved,
    stock_levels.c.committed,
    func.coalesce(stock_items.c.safety_stock, 0),
    func.coalesce(stock_items.c.low_stock_at, 0),
).outerjoin(stock_items, stock_items.c.sku == stock_levels.c.sku)


def _low() -> Select[Any]:
    """Select the SKUs of which no more than their low mark can be promised."""
    free = case((locations.c.active, stock_levels.c.on_hand - stock_levels.c.reserved), else_=0)
    kept_back = stock_items.c.safety_stock + stock_items.c.low_stock_at
    return (
        select(stock_levels.c.sku)
        .join(locations, locations.c.id == stock_levels.c.location)
        .outerjoin(stock_items, stock_items.c.sku == stock_levels.c.sku)
        .group_by(stock_levels.c.sku)
        .having(func.sum(free) <= func.coalesce(func.max(kept_back), 0))
    )


async def list_movements(  # noqa: PLR0913 - a filter each
    session: AsyncSession,
    *,
    sku: str | None = None,
    location: str | None = None,
    kinds: Sequence[MovementKind] = (),
    order_id: str | None = None,
    before: int | None,
    limit: int,
) -> Sequence[StockMovement]:
    """Return up to limit rows of the ledger, newest first, those older than the given id.

    No kinds means all of them.
    """
    page = select(StockMovement).order_by(StockMovement.id.desc()).limit(limit)
    for column, value in (
        (StockMovement.sku, sku),
        (StockMovement.location, location),
        (StockMovement.order_id, order_id),
    ):
        if value is not None:
            page = page.where(column == value)
    if kinds:
        page = page.where(StockMovement.kind.in_(kinds))
    if before is not None:
        page = page.where(StockMovement.id < before)
    return (await session.scalars(page)).all()


async def availability(session: AsyncSession, skus: Sequence[str]) -> list[Availability]:
    """Return what can be promised of these SKUs, in the order given: one statement.

    It is what an order of this moment would find; one that nobody ever received has zeros.
    """
    if not skus:
        return []
    asked = rows(session, sku=(String(), list(dict.fromkeys(skus))))
    offered = (
        select(
            stock_levels.c.sku,
            func.sum(stock_levels.c.on_hand).label("on_hand"),
            func.sum(stock_levels.c.reserved).label("reserved"),
        )
        .join(asked, stock_levels.c.sku == asked.c.sku)
        .join(locations, and_(locations.c.id == stock_levels.c.location, locations.c.active))
        .group_by(stock_levels.c.sku)
        .subquery()
    )
    found = await session.execute(
        select(
            asked.c.sku,
            func.coalesce(offered.c.on_hand, 0),
            func.coalesce(offered.c.reserved, 0),
            func.coalesce(stock_items.c.safety_stock, 0),
            func.coalesce(stock_items.c.low_stock_at, 0),
        )
        .outerjoin(offered, offered.c.sku == asked.c.sku)
        .outerjoin(stock_items, stock_items.c.sku == asked.c.sku)
    )
    by_sku = {
        sku: Availability(
            sku=sku,
            on_hand=int(on_hand),
            reserved=int(reserved),
            safety_stock=safety_stock,
            low_stock_at=low_stock_at,
        )
        for sku, on_hand, reserved, safety_stock, low_stock_at in found
    }
    return [by_sku[sku] for sku in skus]
