"""Calling an order off: whatever is still held for it goes back, or is never held."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.modules.orders.events import OrderCancelled, OrderedLine
from app.modules.orders.models.life import Action
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.command import Caller, begin
from app.modules.orders.service.read import get_order
from app.modules.orders.service.transition import Step, move


async def cancel(
    session: AsyncSession, order_id: str, caller: Caller, *, reason: str
) -> PlacedOrder:
    """Cancel an order, or what is left of one, publish OrderCancelled, and return the order.

    Units that have left stay gone. Raises OrderNotFoundError, PreconditionFailedError, or
    OrderStateConflictError: also while a fulfillment of the order is under way.
    """
    found, order = await begin(session, order_id, Action.CANCEL, caller)
    step = Step(
        order_id=order_id,
        action=Action.CANCEL,
        actor=caller.actor,
        detail={"reason": reason},
        cancel_reason=reason,
    )
    await move(session, found, [step])
    gone = tuple(
        OrderedLine(sku=line.sku, quantity=line.fulfilled) for line in order.lines if line.fulfilled
    )
    await publish(session, OrderCancelled(order_id=order_id, reason=reason, fulfilled=gone))
    return await get_order(session, order_id)
