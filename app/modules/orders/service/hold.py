"""Holds: manual orders keep their stock until somebody confirms them, or until their time is up.

What expires_at gives is leave to expire. Whoever changes the status first, wins: a confirm that
comes late still counts while the order is reserved.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import progress
from app.bus.event import Context, child_traceparent
from app.bus.outbox import publish
from app.bus.sql import later, now
from app.modules.orders.errors import ExtendLimitError
from app.modules.orders.events import (
    HoldConfirmed,
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
)
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import DEFAULT_HOLD_S, PlacedOrder
from app.modules.orders.models.tables import orders
from app.modules.orders.service.command import Caller, begin
from app.modules.orders.service.read import get_order
from app.modules.orders.service.transition import Step, locked, move, standings

UNDECIDED = "undecided"
"""The cancel reason of an order that everybody heard of and nobody decided about."""


async def confirm(session: AsyncSession, order_id: str, caller: Caller) -> PlacedOrder:
    """Confirm an order whose stock is held, publish that it is, and return the order.

    Raises OrderNotFoundError, PreconditionFailedError or OrderStateConflictError.
    """
    found, _ = await begin(session, order_id, Action.CONFIRM, caller)
    await move(session, found, [Step(order_id=order_id, action=Action.CONFIRM, actor=caller.actor)])
    await publish(session, HoldConfirmed(order_id=order_id), OrderConfirmed(order_id=order_id))
    return await get_order(session, order_id)


async def extend(
    session: AsyncSession,
    order_id: str,
    caller: Caller,
    *,
    seconds: int | None = None,
    limit_s: int,
) -> PlacedOrder:
    """Hold an order's stock for so many seconds from now, as many as at first unless said.

    A hold never gets shorter: when it already lasts that long, nothing changes. Raises
    ExtendLimitError when it would last longer than limit_s since the stock was first held, and
    OrderNotFoundError, PreconditionFailedError or OrderStateConflictError.
    """
    found, order = await begin(session, order_id, Action.EXTEND, caller)
    standing = found[order_id]
    hold_s = seconds or order.hold_s or DEFAULT_HOLD_S
    until = standing.at + timedelta(seconds=hold_s)
    latest = (standing.reserved_at or standing.at) + timedelta(seconds=limit_s)
    if until > latest:
        detail = f"The order may hold its stock until {latest.isoformat()}, and no longer."
        raise ExtendLimitError(detail, latest=latest)
    if standing.expires_at is not None and until <= standing.expires_at:
        return order
    step = Step(
        order_id=order_id,
        action=Action.EXTEND,
        actor=caller.actor,
        detail={"seconds": hold_s},
        hold_s=hold_s,
    )
    await move(session, found, [step])
    return await get_order(session, order_id)


def any_due() -> ColumnElement[bool]:
    """Return the condition that some hold is overdue; to ask it locks nothing."""
    return exists().where(orders.c.expires_at <= now())


_ANY_DUE = select(any_due())


async def expire_due(session: AsyncSession, limit: int = 500) -> int:
    """Expire orders that were held for long enough, publish OrderExpired, return how many.

    The longest overdue first, and none that somebody else has locked. One statement when nothing
    is due, five when something is.
    """
    if not await session.scalar(_ANY_DUE):
        return 0
    found = await locked(
        session,
        standings()
        # Without the status: only what is held has an expires_at, and SQLite would go by status.
        .where(orders.c.expires_at <= now())
        .order_by(orders.c.expires_at)
        .limit(limit)
        .with_for_update(of=orders, skip_locked=True),
    )
    steps = [Step(order_id=order_id, action=Action.EXPIRE) for order_id in found]
    expired = await move(session, found, steps)
    await publish(session, *(_expired(step.order_id) for step in expired))
    return len(expired)


def _expired(order_id: str) -> OrderExpired:
    """Return the news in a context of its own: the request it came in has no part in it."""
    event = OrderExpired(order_id=order_id)
    return event.within(Context(correlation_id=str(event.id), traceparent=child_traceparent(None)))


async def cancel_undecided(session: AsyncSession, deadline_s: float, limit: int = 500) -> int:
    """Cancel orders that nobody decided about, publish OrderCancelled, return how many.

    An order is undecided when every subscriber of its creation handled that deadline_s ago or
    longer, and it still is pending. So an outage cancels nothing: while anything that is older
    than the deadline is on its way to anybody, or a delivery about the order is due, it waits.
    """
    if await progress.behind(session, by_s=deadline_s):
        return 0
    found = await locked(
        session,
        standings()
        .where(
            orders.c.status == OrderStatus.PENDING,
            orders.c.created_at <= later(-deadline_s),
            progress.handled(orders.c.created_event_id, ago_s=deadline_s),
            ~progress.is_due(orders.c.id),
        )
        .order_by(orders.c.id)
        .limit(limit)
        .with_for_update(of=orders, skip_locked=True),
    )
    steps = [
        Step(
            order_id=order_id,
            action=Action.CANCEL,
            detail={"reason": UNDECIDED},
            cancel_reason=UNDECIDED,
        )
        for order_id in found
    ]
    cancelled = await move(session, found, steps)
    events = (OrderCancelled(order_id=step.order_id, reason=UNDECIDED) for step in cancelled)
    await publish(session, *events)
    return len(cancelled)
