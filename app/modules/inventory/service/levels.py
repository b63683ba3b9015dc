"""The SQL under the book: lock levels, write them, append to the ledger. Only book.py calls it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Executable,
    FromClause,
    String,
    Uuid,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus.prepared import Write, prepared
from app.bus.sql import now, rows, upsert
from app.modules.inventory.models.tables import (
    locations,
    stock_items,
    stock_levels,
    stock_movements,
)
from app.modules.inventory.service.thresholds import Marks

Key = tuple[str, str]
"""The key of a level: SKU and location."""


# The columns of a movement, in the order in which the book notes them.
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "sku": String(),
    "location": String(),
    "kind": String(),
    "d_on_hand": BigInteger(),
    "d_reserved": BigInteger(),
    "d_committed": BigInteger(),
    "on_hand_after": BigInteger(),
    "reserved_after": BigInteger(),
    "committed_after": BigInteger(),
    "order_id": String(),
    "receipt_id": String(),
    "adjustment_id": String(),
    "fulfillment_id": String(),
    "event_id": Uuid(),
}
_ALIKE = [name for name in _COLUMNS if name not in {"sku", "on_hand_after", "reserved_after"}]


@dataclass(slots=True, eq=False)
class Level:
    """The counters of a SKU at a location, while a book is open."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    committed: int
    priority: int = 0
    active: bool = True
    changed: bool = False

    @property
    def free(self) -> int:
        """How many units lie here that nobody has spoken for."""
        return self.on_hand - self.reserved


async def make(session: AsyncSession, needed: Collection[Key]) -> set[Key]:
    """Insert empty levels where there are none, and return those; unknown locations get none."""
    ordered = sorted(set(needed))
    given = rows(
        session,
        sku=(String(), [sku for sku, _ in ordered]),
        location=(String(), [location for _, location in ordered]),
    )
    zero = literal(0, BigInteger())
    made = await session.execute(
        upsert(session, stock_levels)
        .from_select(
            ["sku", "location", "on_hand", "reserved", "version"],
            select(given.c.sku, given.c.location, zero, zero, zero)
            .join(locations, locations.c.id == given.c.location)
            .where(given.c.sku.is_not(None))  # without a WHERE, SQLite takes ON for a join's
            .order_by(given.c.sku, given.c.location),
        )
        .on_conflict_do_nothing(index_elements=["sku", "location"])
        .returning(stock_levels.c.sku, stock_levels.c.location)
    )
    return {(sku, location) for sku, location in made}


async def lock(
    session: AsyncSession, skus: Collection[str]
) -> tuple[list[Level], dict[str, Marks]]:
    """Lock the levels of these SKUs in key order; return them, and the marks of their items."""
    found = await _lock.run(session, {"sku": list(dict.fromkeys(skus))})
    levels: list[Level] = []
    marks: dict[str, Marks] = {}
    for *counters, safety_stock, low_stock_at in found:
        level = Level(*counters)
        levels.append(level)
        if safety_stock is not None:
            marks[level.sku] = Marks(safety_stock, low_stock_at)
    return levels, marks


@prepared(sku=String())
def _lock(session: AsyncSession, asked: FromClause) -> Executable:
    del session
    return (
        select(
            stock_levels.c.sku,
            stock_levels.c.location,
            stock_levels.c.on_hand,
            stock_levels.c.reserved,
            stock_levels.c.committed,
            locations.c.priority,
            locations.c.active,
            stock_items.c.safety_stock,
            stock_items.c.low_stock_at,
        )
        .join(asked, stock_levels.c.sku == asked.c.sku)
        .join(locations, locations.c.id == stock_levels.c.location)
        .outerjoin(stock_items, stock_items.c.sku == stock_levels.c.sku)
        .order_by(stock_levels.c.sku, stock_levels.c.location)
        .with_for_update(of=stock_levels)
    )


def change(session: AsyncSession, changed: Sequence[Level]) -> Write:
    """Return what writes the counters of locked levels."""
    columns: dict[str, Sequence[object]] = {
        "sku": [level.sku for level in changed],
        "location": [level.location for level in changed],
        "on_hand": [level.on_hand for level in changed],
        "reserved": [level.reserved for level in changed],
        "committed": [level.committed for level in changed],
    }
    return _change.on(session, columns)


@prepared(
    sku=String(),
    location=String(),
    on_hand=BigInteger(),
    reserved=BigInteger(),
    committed=BigInteger(),
)
def _change(session: AsyncSession, after: FromClause) -> Executable:
    del session
    return (
        update(stock_levels)
        .where(stock_levels.c.sku == after.c.sku, stock_levels.c.location == after.c.location)
        .values(
            on_hand=after.c.on_hand,
            reserved=after.c.reserved,
            committed=after.c.committed,
            version=stock_levels.c.version + 1,
            updated_at=now(),
        )
    )


def record(session: AsyncSession, movements: Sequence[Sequence[object]]) -> Write:
    """Return what appends movements to the ledger in the order given; their levels are locked."""
    columns = zip(_COLUMNS, zip(*movements, strict=True), strict=True)
    return _record.on(session, dict(columns))


@prepared(alike=_ALIKE, **_COLUMNS)
def _record(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(stock_movements).from_select(given.c.keys(), select(given))
