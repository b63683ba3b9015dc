"""`python -m tests.browser.program serve …`: Orderly with two subscribers more, one that fails.

Labels prints a label per order, and has no box for mirrors and for many of a kind: those orders'
events become its dead letters. Mail listens, and is paused.
"""

from typing import ClassVar

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app import main as composition
from app.__main__ import main
from app.bus.event import Event, example
from app.bus.outbox import publish
from app.bus.retry import RetryPolicy
from app.bus.subscriber import Subscriber
from app.main import SUBSCRIBERS
from app.modules.orders.events import OrderConfirmed, OrderCreated

MOST_IN_A_BOX = 20
TOO_LARGE = "MIRROR"

_SOON = RetryPolicy(max_attempts=2, first_s=0.01, most_s=0.02)

labels = Subscriber("labels")
mail = Subscriber("mail")


class NoBoxError(ValueError):
    """There is no box for what was ordered."""


class LabelPrinted(Event):
    """The label of an order lies in the printer's tray."""

    model_config = example(order_id="ord_0199c2d4a8f07c1e9b3d5f7a2c4e6081", parcels=1)

    type: ClassVar[str] = "labels.label_printed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str = Field(description="The order.")
    parcels: int = Field(description="How many parcels it makes.")


@labels.on(OrderCreated, retry=_SOON)
async def print_label(event: OrderCreated, session: AsyncSession) -> None:
    """Print the label of an order; fails where no box holds it."""
    for line in event.lines:
        if line.sku == TOO_LARGE:
            raise KeyError(line.sku)
        if line.quantity > MOST_IN_A_BOX:
            raise NoBoxError(f"No box holds {line.quantity} of {line.sku}")
    await publish(session, LabelPrinted(order_id=event.order_id, parcels=len(event.lines)))


@mail.on(OrderConfirmed)
async def tell_customer(event: OrderConfirmed, session: AsyncSession) -> None:
    """Tell a customer that the order is on its way."""


if __name__ == "__main__":
    vars(composition)["SUBSCRIBERS"] = (*SUBSCRIBERS, labels, mail)
    main()
