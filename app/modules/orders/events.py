"""What orders tells the world. The only file of this module that others may import."""

from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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
    """An order was accepted and waits for stock. No prices and no customer data travel.

    `auto` promises to confirm as soon as every line is held; `manual` holds until somebody does.
    """

    type: ClassVar[str] = "orders.order_created.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    lines: tuple[OrderedLine, ...] = Field(min_length=1)
    confirm: Literal["auto", "manual"] = "auto"


class OrderReserved(Event):
    """Every line of a manual order is held, until expires_at at least, for somebody to confirm."""

    type: ClassVar[str] = "orders.order_reserved.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    expires_at: AwareDatetime


class OrderConfirmed(Event):
    """Every line of the order has its stock."""

    type: ClassVar[str] = "orders.order_confirmed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str


class HoldConfirmed(Event):
    """Somebody confirmed a manual order, so what is held for it is promised now.

    OrderConfirmed goes with it. An order that confirms itself holds nothing without a promise, so
    it says OrderConfirmed alone.
    """

    type: ClassVar[str] = "orders.hold_confirmed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str


class OrderRejected(Event):
    """The order cannot be served; every short line is listed, and nothing is held for it."""

    type: ClassVar[str] = "orders.order_rejected.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shortages: tuple[Shortage, ...]


class OrderCancelled(Event):
    """The order is off, and whatever is held for it may go, or must never be held.

    The units in `fulfilled` had left before; of most orders there are none.
    """

    type: ClassVar[str] = "orders.order_cancelled.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    reason: str
    fulfilled: tuple[OrderedLine, ...] = ()


class OrderExpired(Event):
    """Nobody confirmed the order in time, so what was held for it may go."""

    type: ClassVar[str] = "orders.order_expired.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str


class FulfillmentRequested(Event):
    """Units of a confirmed order shall leave the house."""

    type: ClassVar[str] = "orders.fulfillment_requested.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    fulfillment_id: str
    lines: tuple[OrderedLine, ...] = Field(min_length=1)


class FulfillmentCancelRequested(Event):
    """A fulfillment shall not leave, if it has not left yet."""

    type: ClassVar[str] = "orders.fulfillment_cancel_requested.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    fulfillment_id: str


class OrderFulfilled(Event):
    """Every unit of the order has left the house."""

    type: ClassVar[str] = "orders.order_fulfilled.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
