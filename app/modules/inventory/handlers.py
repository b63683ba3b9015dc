"""What inventory does when orders speak."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.subscriber import Subscriber
from app.modules.inventory.service.decide import decide
from app.modules.inventory.service.steps import Commit, Issue, Release, Reserve, Step, VoidIssue
from app.modules.orders.events import (
    FulfillmentCancelRequested,
    FulfillmentRequested,
    HoldConfirmed,
    OrderCancelled,
    OrderCreated,
    OrderedLine,
    OrderExpired,
)

subscriber = Subscriber("inventory")


@subscriber.on(
    OrderCreated,
    HoldConfirmed,
    OrderCancelled,
    OrderExpired,
    FulfillmentRequested,
    FulfillmentCancelRequested,
    batch=True,
)
async def move_stock(events: Sequence[Event], session: AsyncSession) -> None:
    """Do with the stock of each order what became of it, event by event in their sequence."""
    await decide(session, [step(event) for event in events])


def step(event: Event) -> Step:
    """Return what an event asks of stock; raises TypeError for one that asks nothing."""
    order_id = event.subject
    match event:
        case OrderCreated():
            commit = event.confirm == "auto"
            return Reserve(order_id=order_id, lines=_pairs(event.lines), commit=commit, cause=event)
        case HoldConfirmed():
            return Commit(order_id=order_id, cause=event)
        case OrderCancelled():
            return Release(order_id=order_id, reason="cancelled", cause=event)
        case OrderExpired():
            return Release(order_id=order_id, reason="expired", cause=event)
        case FulfillmentRequested():
            return Issue(
                order_id=order_id,
                fulfillment_id=event.fulfillment_id,
                lines=_pairs(event.lines),
                cause=event,
            )
        case FulfillmentCancelRequested():
            return VoidIssue(order_id=order_id, fulfillment_id=event.fulfillment_id, cause=event)
        case _:
            raise TypeError(event.type)


def _pairs(lines: Sequence[OrderedLine]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in lines]
