"""What inventory does when orders speak."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.subscriber import Subscriber
from app.modules.inventory.service.reserve import Request, reserve
from app.modules.orders.events import OrderCreated

subscriber = Subscriber("inventory")


@subscriber.on(OrderCreated, batch=True)
async def reserve_stock(events: Sequence[OrderCreated], session: AsyncSession) -> None:
    """Hold stock for each order, first come first served, or say what was short."""
    await reserve(
        session,
        [
            Request(
                order_id=event.order_id,
                lines=[(line.sku, line.quantity) for line in event.lines],
                cause=event,
            )
            for event in events
        ],
    )
