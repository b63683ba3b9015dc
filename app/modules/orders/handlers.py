"""What orders does when inventory speaks."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.subscriber import Subscriber
from app.modules.inventory.events import StockRejected, StockReserved
from app.modules.orders.events import Shortage
from app.modules.orders.service.settle import Verdict, settle

subscriber = Subscriber("orders")


# One handler for both answers: mixed as they come, they still make one batch.
@subscriber.on(StockReserved, StockRejected, batch=True)
async def settle_orders(events: Sequence[Event], session: AsyncSession) -> None:
    """Confirm the orders whose stock is held, reject those that were short."""
    await settle(session, [_verdict(event) for event in events])


def _verdict(event: Event) -> Verdict:
    match event:
        case StockReserved():
            return Verdict(order_id=event.order_id, cause=event)
        case StockRejected():
            shortages = tuple(
                Shortage(sku=line.sku, requested=line.requested, available=line.available)
                for line in event.shortages
            )
            return Verdict(order_id=event.order_id, cause=event, shortages=shortages)
        case _:
            raise TypeError(f"{event.type} says nothing about stock")
