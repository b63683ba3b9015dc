"""Tomorrow's build of the program: it tells of a fact that today's has never heard of.

Orders publishes it with every order that it takes, and inventory, which is there already, hears it.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.__main__ import main
from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.prepared import Rows, Write
from app.bus.tables import inbox
from app.modules.inventory import handlers as inventory
from app.modules.orders.events import OrderCreated
from app.modules.orders.service import place

GREETED = "greeted"
"""What its effects are found by: inbox rows of a subscriber that does not exist."""


class OrderGreeted(Event):
    """An order was greeted."""

    type = "orders.order_greeted.v1"
    subject_field = "order_id"

    order_id: str


async def greet(event: OrderGreeted, session: AsyncSession) -> None:
    """Leave one row; a second one for the same event would break the table's key."""
    await session.execute(inbox.insert().values(subscriber=GREETED, event_id=event.id))


async def publish_and_greet(
    session: AsyncSession, *events: Event, beside: Sequence[Write] = ()
) -> Rows:
    """Publish as today's build does, and greet each order that is placed."""
    placed = [event.order_id for event in events if isinstance(event, OrderCreated)]
    greetings = [OrderGreeted(order_id=order_id) for order_id in placed]
    return await publish(session, *events, *greetings, beside=beside)


if __name__ == "__main__":
    inventory.subscriber.on(OrderGreeted)(greet)
    place.publish = publish_and_greet  # type: ignore[attr-defined]  # place's own name for it
    main()
