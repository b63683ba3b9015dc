"""What orders tells the world. The only file of this module that others may import."""

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.bus.event import Event, example

OrderId = Annotated[str, Field(description="The order.")]
FulfillmentId = Annotated[str, Field(description="The fulfillment, of this order.")]

_ORDER = "ord_0199c2d4a8f07c1e9b3d5f7a2c4e6081"
_FULFILLMENT = "ful_0199c2d52b6c7a90b1e4d8c37f5a2e16"


class OrderedLine(BaseModel):
    """How many units of one SKU an order asks for; a SKU appears once per order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str = Field(description="The SKU.")
    quantity: int = Field(gt=0, description="Units of it.")


class Shortage(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str = Field(description="The SKU.")
    requested: int = Field(description="Units the order asks for.")
    available: int = Field(description="Units there were, over all locations.")


class OrderCreated(Event):
    """An order was accepted and waits for stock. No prices and no customer data travel.

    `auto` promises to confirm as soon as every line is held; `manual` holds until somebody does.
    """

    model_config = example(order_id=_ORDER, lines=[{"sku": "MUG", "quantity": 2}], confirm="auto")

    type: ClassVar[str] = "orders.order_created.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    lines: tuple[OrderedLine, ...] = Field(min_length=1, description="What is ordered, by SKU.")
    confirm: Literal["auto", "manual"] = Field(
        "auto", description="Who confirms it: itself, or somebody."
    )


class OrderReserved(Event):
    """Every line of a manual order is held, until expires_at at least, for somebody to confirm."""

    model_config = example(order_id=_ORDER, expires_at="2026-03-01T09:45:00.123000Z")

    type: ClassVar[str] = "orders.order_reserved.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    expires_at: AwareDatetime = Field(description="When the hold ends unless it is extended.")


class OrderConfirmed(Event):
    """Every line of the order has its stock."""

    model_config = example(order_id=_ORDER)

    type: ClassVar[str] = "orders.order_confirmed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId


class HoldConfirmed(Event):
    """Somebody confirmed a manual order, so what is held for it is promised now.

    OrderConfirmed goes with it. An order that confirms itself holds nothing without a promise, so
    it says OrderConfirmed alone.
    """

    model_config = example(order_id=_ORDER)

    type: ClassVar[str] = "orders.hold_confirmed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId


class OrderRejected(Event):
    """The order cannot be served; every short line is listed, and nothing is held for it."""

    model_config = example(
        order_id=_ORDER, shortages=[{"sku": "MUG", "requested": 50, "available": 38}]
    )

    type: ClassVar[str] = "orders.order_rejected.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    shortages: tuple[Shortage, ...] = Field(description="Every line that is short.")


class OrderCancelled(Event):
    """The order is off, and whatever is held for it may go, or must never be held.

    The units in `fulfilled` had left before; of most orders there are none.
    """

    model_config = example(order_id=_ORDER, reason="Paid twice", fulfilled=[])

    type: ClassVar[str] = "orders.order_cancelled.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    reason: str = Field(description="Why, in the words of who cancelled it.")
    fulfilled: tuple[OrderedLine, ...] = Field((), description="What had left before.")


class OrderExpired(Event):
    """Nobody confirmed the order in time, so what was held for it may go."""

    model_config = example(order_id=_ORDER)

    type: ClassVar[str] = "orders.order_expired.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId


class FulfillmentRequested(Event):
    """Units of a confirmed order shall leave the house."""

    model_config = example(
        order_id=_ORDER, fulfillment_id=_FULFILLMENT, lines=[{"sku": "MUG", "quantity": 2}]
    )

    type: ClassVar[str] = "orders.fulfillment_requested.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    fulfillment_id: FulfillmentId
    lines: tuple[OrderedLine, ...] = Field(min_length=1, description="What shall leave.")


class FulfillmentCancelRequested(Event):
    """A fulfillment shall not leave, if it has not left yet."""

    model_config = example(order_id=_ORDER, fulfillment_id=_FULFILLMENT)

    type: ClassVar[str] = "orders.fulfillment_cancel_requested.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    fulfillment_id: FulfillmentId


class OrderFulfilled(Event):
    """Every unit of the order has left the house."""

    model_config = example(order_id=_ORDER)

    type: ClassVar[str] = "orders.order_fulfilled.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
