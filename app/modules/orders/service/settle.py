"""Settling orders: what inventory decided becomes their status."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.sql import now, rows
from app.modules.orders.events import OrderConfirmed, OrderRejected, Shortage
from app.modules.orders.models import Order, OrderStatus, order_lines, orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What inventory decided about an order: confirmed when nothing was short."""

    order_id: str
    cause: Event
    shortages: tuple[Shortage, ...] = ()


async def settle(session: AsyncSession, verdicts: Sequence[Verdict]) -> list[str]:
    """Confirm or reject the orders that are pending, publish it, and return their ids.

    A compare-and-set on the status: a verdict that is late, repeated or about an order nobody
    knows changes nothing, and of two about one order the first counts. Three statements, one more
    when some are rejected, however many verdicts there are.
    """
    first: dict[str, Verdict] = {}
    for verdict in verdicts:
        first.setdefault(verdict.order_id, verdict)
    asked = rows(session, order_id=(String(), list(first)))
    found = await session.execute(
        select(Order.id, Order.status)
        .join(asked, Order.id == asked.c.order_id)
        .order_by(Order.id)
        .with_for_update(of=Order)
    )
    # Not asked for in SQL: SQLite would then look at every pending order instead of these.
    settled = [first[order_id] for order_id, status in found if status == OrderStatus.PENDING]
    if not settled:
        return []
    given = rows(
        session,
        order_id=(String(), [verdict.order_id for verdict in settled]),
        status=(String(), [_outcome(verdict) for verdict in settled]),
    )
    await session.execute(
        update(orders)
        .where(orders.c.id == given.c.order_id)
        .values(status=given.c.status, version=orders.c.version + 1, updated_at=now())
    )
    await _note_shortages(session, settled)
    await publish(session, *map(_settled, settled))
    return [verdict.order_id for verdict in settled]


def _outcome(verdict: Verdict) -> OrderStatus:
    return OrderStatus.REJECTED if verdict.shortages else OrderStatus.CONFIRMED


async def _note_shortages(session: AsyncSession, settled: Sequence[Verdict]) -> None:
    """Write on each short line what there was."""
    short = [(verdict.order_id, line) for verdict in settled for line in verdict.shortages]
    if not short:
        return
    given = rows(
        session,
        order_id=(String(), [order_id for order_id, _ in short]),
        sku=(String(), [line.sku for _, line in short]),
        available=(BigInteger(), [line.available for _, line in short]),
    )
    await session.execute(
        update(order_lines)
        .where(order_lines.c.order_id == given.c.order_id, order_lines.c.sku == given.c.sku)
        .values(available=given.c.available)
    )


def _settled(verdict: Verdict) -> Event:
    if verdict.shortages:
        event: Event = OrderRejected(order_id=verdict.order_id, shortages=verdict.shortages)
    else:
        event = OrderConfirmed(order_id=verdict.order_id)
    return event.caused_by(verdict.cause)
