"""What orders tells the world. The only file of this module that others may import."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from app.bus.event import Event


class OrderedLine(BaseModel):
    """How many units of one SKU an order asks for; a SKU appears once per order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    quantity: int = Field(gt=0)


class Shortage(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    requested: int
    available: int


class OrderCreated(Event):
    """An order was accepted and waits for stock. No prices and no customer data travel."""

    type: ClassVar[str] = "orders.order_created.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    lines: tuple[OrderedLine, ...] = Field(min_length=1)


class OrderConfirmed(Event):
    """Every line of the order has its stock."""

    type: ClassVar[str] = "orders.order_confirmed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str


class OrderRejected(Event):
    """The order cannot be served; every short line is listed, and nothing is held for it."""

    type: ClassVar[str] = "orders.order_rejected.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shortages: tuple[Shortage, ...]
