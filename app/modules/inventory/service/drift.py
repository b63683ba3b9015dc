"""Drift: where counters, ledger and reservations do not say the same. There is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.inventory.models.drafts import Counters, Drift
from app.modules.inventory.models.tables import (
    ReservationState,
    reservation_lines,
    reservations,
    stock_levels,
    stock_movements,
)

DRIFTS_SHOWN = 100

# What each side says, added up per level: the counters, the ledger, the reservations.
_SAID = (
    "on_hand",
    "reserved",
    "committed",
    "ledger_on_hand",
    "ledger_reserved",
    "ledger_committed",
    "held",
    "promised",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How many levels were compared, and the first of those that do not add up, by key."""

    levels: int
    drifts: Sequence[Drift]


async def check_drift(session: AsyncSession) -> Checked:
    """Compare every counter with the ledger and with the reservations.

    One statement reads all three, so what changes meanwhile is seen whole or not at all. It reads
    the whole ledger: seconds for millions of movements.
    """
    sides = union_all(_counters(), _ledger(), _reservations()).subquery()
    said = {name: func.sum(sides.c[name]) for name in _SAID}
    found = await session.execute(
        select(sides.c.sku, sides.c.location, *(said[name].label(name) for name in _SAID))
        .group_by(sides.c.sku, sides.c.location)
        .having(
            or_(
                said["on_hand"] != said["ledger_on_hand"],
                said["reserved"] != said["ledger_reserved"],
                said["committed"] != said["ledger_committed"],
                said["reserved"] != said["held"],
                said["committed"] != said["promised"],
            )
        )
        .order_by(sides.c.sku, sides.c.location)
        .limit(DRIFTS_SHOWN)
    )
    drifts = [_drift(row) for row in found]
    levels = await session.scalar(select(func.count()).select_from(stock_levels))
    return Checked(levels=int(levels or 0), drifts=drifts)


def _counters() -> Select[Any]:
    level = stock_levels.c
    return _side(
        stock_levels, on_hand=level.on_hand, reserved=level.reserved, committed=level.committed
    )


def _ledger() -> Select[Any]:
    row = stock_movements.c
    return _side(
        stock_movements,
        ledger_on_hand=row.d_on_hand,
        ledger_reserved=row.d_reserved,
        ledger_committed=row.d_committed,
    )


def _reservations() -> Select[Any]:
    left = reservation_lines.c.quantity - reservation_lines.c.issued
    promised = case((reservations.c.state == ReservationState.COMMITTED.value, left), else_=0)
    holding = (ReservationState.HELD.value, ReservationState.COMMITTED.value)
    side = _side(reservation_lines, held=left, promised=promised)
    return side.join(reservations, reservations.c.order_id == reservation_lines.c.order_id).where(
        reservations.c.state.in_(holding)
    )


def _side(table: FromClause, **says: ColumnElement[int]) -> Select[Any]:
    """Select what a table says of each level, and zeros for the rest."""
    zero = literal(0, BigInteger())
    columns = [says.get(name, zero).label(name) for name in _SAID]
    return select(table.c.sku, table.c.location, *columns).select_from(table)


def _drift(row: Sequence[Any]) -> Drift:
    sku, location, *said = row
    on_hand, reserved, committed, *ledger, held, promised = map(int, said)
    return Drift(
        sku=sku,
        location=location,
        counters=Counters(on_hand=on_hand, reserved=reserved, committed=committed),
        ledger=Counters(on_hand=ledger[0], reserved=ledger[1], committed=ledger[2]),
        reservations=Counters(on_hand=on_hand, reserved=held, committed=promised),
    )
