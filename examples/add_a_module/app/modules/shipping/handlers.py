"""What shipping does when orders speak."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.subscriber import Subscriber
from app.modules.orders.events import OrderCancelled, OrderConfirmed
from app.modules.shipping.service import call_off, prepare

subscriber = Subscriber("shipping")


@subscriber.on(OrderConfirmed)
async def on_confirmed(event: OrderConfirmed, session: AsyncSession) -> None:
    """Prepare the order's shipment."""
    await prepare(session, event.order_id)


@subscriber.on(OrderCancelled)
async def on_cancelled(event: OrderCancelled, session: AsyncSession) -> None:
    """Keep the order's shipment from leaving."""
    await call_off(session, event.order_id)
