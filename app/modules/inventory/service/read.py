"""Reading stock."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.inventory.models import StockLevel, StockMovement


async def list_levels(
    session: AsyncSession,
    *,
    skus: Sequence[str] = (),
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[StockLevel]:
    """Return up to limit levels by (sku, location), those after the given one.

    No skus means all; a SKU that was never received has no level.
    """
    page = select(StockLevel).order_by(StockLevel.sku, StockLevel.location).limit(limit)
    if skus:
        page = page.where(StockLevel.sku.in_(skus))
    if after is not None:
        page = page.where(tuple_(StockLevel.sku, StockLevel.location) > after)
    return (await session.scalars(page)).all()


async def list_movements(
    session: AsyncSession, *, sku: str | None = None, before: int | None, limit: int
) -> Sequence[StockMovement]:
    """Return up to limit rows of the ledger, newest first, those older than the given id."""
    page = select(StockMovement).order_by(StockMovement.id.desc()).limit(limit)
    if sku is not None:
        page = page.where(StockMovement.sku == sku)
    if before is not None:
        page = page.where(StockMovement.id < before)
    return (await session.scalars(page)).all()
