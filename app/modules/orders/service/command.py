"""What somebody asks of one order: taken when the order allows it, refused when it does not."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.orders.errors import (
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.read import get_order
from app.modules.orders.service.transition import Standing, lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and on what condition.

    actor is the name for the timeline. customer_id hides the orders of every other customer, and
    versions are those the order may have (If-Match); None allows all.
    """

    actor: str | None = None
    customer_id: str | None = None
    versions: Collection[int] | None = None


async def begin(
    session: AsyncSession, order_id: str, action: Action | None, caller: Caller
) -> tuple[dict[str, Standing], PlacedOrder]:
    """Lock an order until the transaction ends, and return it, allowed to have this done to it.

    With None the action needs no leave of the order's. Raises OrderNotFoundError,
    PreconditionFailedError or OrderStateConflictError.
    """
    found = await lock(session, [order_id])
    if not found:
        raise OrderNotFoundError(f"There is no order {order_id}.")
    order = await get_order(session, order_id, customer_id=caller.customer_id)
    if caller.versions is not None and order.version not in caller.versions:
        detail = f"The order's version is {order.version}."
        raise PreconditionFailedError(detail, current_version=order.version)
    if action is not None and action not in order.allowed_actions:
        raise _conflict(order, action)
    return found, order


def _conflict(order: PlacedOrder, action: Action) -> OrderStateConflictError:
    detail = f"The order is {order.status}, so it cannot be {_DONE[action]}."
    if action is Action.CANCEL and order.moving_units:
        detail = "Units of the order are leaving: cancel their fulfillments first, or wait."
    elif action is Action.FULFILL and order.status is OrderStatus.CONFIRMED:
        detail = "Every unit of the order is in a fulfillment."
    return OrderStateConflictError(
        detail, current_status=order.status, allowed_actions=order.allowed_actions
    )


_DONE = {
    Action.CONFIRM: "confirmed",
    Action.EXTEND: "held for longer",
    Action.CANCEL: "cancelled",
    Action.FULFILL: "fulfilled",
}
