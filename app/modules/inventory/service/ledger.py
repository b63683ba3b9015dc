"""The ledger: every change of a level is a row, and the rows add up to the counters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, String, Uuid, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import rows
from app.modules.inventory.models import DEFAULT_LOCATION, MovementKind, stock_movements


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of one SKU's level, and what the counters were after it."""

    sku: str
    kind: MovementKind
    d_on_hand: int = 0
    d_reserved: int = 0
    on_hand_after: int
    reserved_after: int
    order_id: str | None = None
    receipt_id: str | None = None
    event_id: UUID | None = None


async def record(session: AsyncSession, movements: Sequence[Movement]) -> None:
    """Append movements in the sequence given: one statement. Their levels must be locked."""
    given = rows(
        session,
        sku=(String(), [movement.sku for movement in movements]),
        kind=(String(), [movement.kind for movement in movements]),
        d_on_hand=(BigInteger(), [movement.d_on_hand for movement in movements]),
        d_reserved=(BigInteger(), [movement.d_reserved for movement in movements]),
        on_hand_after=(BigInteger(), [movement.on_hand_after for movement in movements]),
        reserved_after=(BigInteger(), [movement.reserved_after for movement in movements]),
        order_id=(String(), [movement.order_id for movement in movements]),
        receipt_id=(String(), [movement.receipt_id for movement in movements]),
        event_id=(Uuid(), [movement.event_id for movement in movements]),
    )
    await session.execute(
        insert(stock_movements).from_select(
            [*given.c.keys(), "location"], select(given, literal(DEFAULT_LOCATION, String()))
        )
    )


def merged(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return units by SKU in the order given, a SKU that comes more than once added up."""
    units: dict[str, int] = {}
    for sku, quantity in lines:
        units[sku] = units.get(sku, 0) + quantity
    return units
