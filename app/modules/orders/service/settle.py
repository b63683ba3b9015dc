"""Settling orders: what inventory decided becomes their status."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, String, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.sql import rows
from app.modules.orders.events import OrderConfirmed, OrderRejected, OrderReserved, Shortage
from app.modules.orders.models.life import Action, ConfirmMode, OrderStatus
from app.modules.orders.models.order import DEFAULT_HOLD_S
from app.modules.orders.models.tables import order_lines
from app.modules.orders.service.transition import Standing, Step, lock, moved


class Verdict(NamedTuple):
    """What inventory decided about an order: it holds every line when nothing was short."""

    order_id: str
    cause: Event
    shortages: tuple[Shortage, ...] = ()


async def settle(session: AsyncSession, verdicts: Sequence[Verdict]) -> list[str]:
    """Confirm, reserve or reject the orders that are pending, publish it, and return their ids.

    With its stock held an auto order is confirmed, and a manual one is reserved until somebody
    confirms it or its hold expires. A verdict that is late, repeated or about an order nobody
    knows changes nothing, and of two about one order the first counts. Two trips to the database,
    one more when some are rejected or reserved, however many verdicts there are.
    """
    first: dict[str, Verdict] = {}
    for verdict in verdicts:
        first.setdefault(verdict.order_id, verdict)
    found = await lock(session, first)
    settled = [
        verdict
        for order_id, verdict in first.items()
        if order_id in found and found[order_id].status is OrderStatus.PENDING
    ]
    if not settled:
        return []
    steps = [_step(one, found[one.order_id]) for one in settled]
    _, writes = await moved(session, found, steps)
    await _note_shortages(session, settled)
    await publish(session, *(_settled(one, found) for one in settled), beside=writes)
    return [verdict.order_id for verdict in settled]


def _step(verdict: Verdict, standing: Standing) -> Step:
    if verdict.shortages:
        return Step(
            order_id=verdict.order_id,
            action=Action.REJECT,
            cause=verdict.cause,
            detail={"shortages": [line.model_dump() for line in verdict.shortages]},
        )
    if standing.confirm is ConfirmMode.AUTO:
        return Step(order_id=verdict.order_id, action=Action.CONFIRM, cause=verdict.cause)
    hold_s = standing.hold_s or DEFAULT_HOLD_S
    return Step(
        order_id=verdict.order_id,
        action=Action.RESERVE,
        cause=verdict.cause,
        detail={"hold_s": hold_s},
        hold_s=hold_s,
    )


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


def _settled(verdict: Verdict, found: Mapping[str, Standing]) -> Event:
    standing = found[verdict.order_id]
    event: Event
    if verdict.shortages:
        event = OrderRejected(order_id=verdict.order_id, shortages=verdict.shortages)
    elif standing.expires_at is not None:
        event = OrderReserved(order_id=verdict.order_id, expires_at=standing.expires_at)
    else:
        event = OrderConfirmed(order_id=verdict.order_id)
    return event.caused_by(verdict.cause)
