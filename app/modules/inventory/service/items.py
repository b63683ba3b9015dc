"""How SKUs are kept: the units never promised, and what counts as low."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.sql import now, upsert
from app.modules.inventory.errors import ItemNotFoundError, PreconditionFailedError
from app.modules.inventory.models.tables import StockItem, stock_items
from app.modules.inventory.service.book import Book
from app.modules.inventory.service.thresholds import NO_MARKS, Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """How a SKU shall be kept, over all locations.

    safety_stock units are never promised; at low_stock_at available units or fewer it is low.
    """

    sku: str
    safety_stock: int = 0
    low_stock_at: int = 0


async def put_item(
    session: AsyncSession, draft: ItemDraft, *, replacing: Collection[int] | None = None
) -> tuple[StockItem, bool]:
    """Create the item or make it what draft says; return it, and whether it is new.

    `replacing` holds the versions that may be replaced, and then nothing is created; None allows
    both. Raises PreconditionFailedError. A draft that changes nothing leaves the version alone.

    What is reserved stays so, even of units that shall now be kept back. A threshold that this
    crosses is told as any other. An order decided at the same moment may still go by what it was.
    """
    created = None
    if replacing is None:
        created = await session.scalar(
            upsert(session, stock_items)
            .values(**asdict(draft), version=1)
            .on_conflict_do_nothing()
            .returning(stock_items.c.sku)
        )
    item = await session.scalar(
        select(StockItem).where(StockItem.sku == draft.sku).with_for_update(key_share=True)
    )
    if item is None or (replacing is not None and item.version not in replacing):
        version = item.version if item else None
        detail = f"The item's version is {version}." if item else "There is no such item."
        raise PreconditionFailedError(detail, current_version=version)
    was = NO_MARKS if created else Marks(item.safety_stock, item.low_stock_at)
    if created is None:
        await _change(session, item, draft)
    marks = Marks(draft.safety_stock, draft.low_stock_at)
    if marks != was:
        book = await Book.open(session, [draft.sku])
        book.mark(draft.sku, was, marks)
        await publish(session, *await book.write())
    return item, created is not None


async def _change(session: AsyncSession, item: StockItem, draft: ItemDraft) -> None:
    wanted = asdict(draft)
    if all(getattr(item, name) == value for name, value in wanted.items()):
        return
    for name, value in wanted.items():
        setattr(item, name, value)
    item.version += 1
    item.updated_at = now()  # read back below
    await session.flush()
    await session.refresh(item)


async def get_item(session: AsyncSession, sku: str) -> StockItem:
    """Return how a SKU is kept; raises ItemNotFoundError where nobody said."""
    item = await session.get(StockItem, sku)
    if item is None:
        msg = f"Nobody said how {sku} is kept: it has zeros."
        raise ItemNotFoundError(msg)
    return item


async def list_items(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[StockItem]:
    """Return up to limit items by SKU, those after the given one."""
    page = select(StockItem).order_by(StockItem.sku).limit(limit)
    if after is not None:
        page = page.where(StockItem.sku > after)
    return (await session.scalars(page)).all()
