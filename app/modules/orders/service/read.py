"""Reading orders."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.orders.errors import OrderNotFoundError
from app.modules.orders.models import Order, OrderLine, OrderStatus, PlacedLine, PlacedOrder


async def get_order(session: AsyncSession, order_id: str) -> PlacedOrder:
    """Return an order with its lines; raises OrderNotFoundError."""
    order = await session.get(Order, order_id)
    if order is None:
        raise OrderNotFoundError(f"There is no order {order_id}.")
    lines = await session.scalars(
        select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.position)
    )
    return PlacedOrder(
        id=order.id,
        reference=order.reference,
        customer_id=order.customer_id,
        status=OrderStatus(order.status),
        currency=order.currency,
        total_minor=order.total_minor,
        version=order.version,
        created_at=order.created_at,
        updated_at=order.updated_at,
        lines=tuple(
            PlacedLine(
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                available=line.available,
            )
            for line in lines
        ),
    )


async def list_orders(  # noqa: PLR0913 - one keyword per filter
    session: AsyncSession,
    *,
    status: OrderStatus | None = None,
    customer_id: str | None = None,
    reference: str | None = None,
    before: str | None,
    limit: int,
) -> Sequence[Order]:
    """Return up to limit orders, newest first, those older than the given id."""
    filters = {
        Order.status: status,
        Order.customer_id: customer_id,
        Order.reference: reference,
    }
    page = select(Order).order_by(Order.id.desc()).limit(limit)
    page = page.where(*(column == value for column, value in filters.items() if value is not None))
    if before is not None:
        page = page.where(Order.id < before)
    return (await session.scalars(page)).all()
