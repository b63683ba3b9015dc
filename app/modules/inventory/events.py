"""What inventory tells the world. The only file of this module that others may import."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.bus.event import Event, example

OrderId = Annotated[str, Field(description="The order.")]
FulfillmentId = Annotated[str, Field(description="The fulfillment, of this order.")]
Sku = Annotated[str, Field(description="The SKU.")]

_ORDER = "ord_0199c2d4a8f07c1e9b3d5f7a2c4e6081"
_FULFILLMENT = "ful_0199c2d52b6c7a90b1e4d8c37f5a2e16"
_LINE = {"sku": "MUG", "location": "default", "quantity": 2}


class ReservedLine(BaseModel):
    """Units of one SKU held for an order, and where they lie."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str = Field(description="The SKU.")
    location: str = Field(description="Where it lies.")
    quantity: int = Field(gt=0, description="Units of it.")


class Shortage(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str = Field(description="The SKU.")
    requested: int = Field(description="Units the order asks for.")
    available: int = Field(description="Units there were, over all locations.")


class StockReserved(Event):
    """Every line of the order is held; nobody else can have those units."""

    model_config = example(order_id=_ORDER, lines=[_LINE])

    type: ClassVar[str] = "inventory.stock_reserved.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    lines: tuple[ReservedLine, ...] = Field(description="What is held, and where.")


class StockRejected(Event):
    """At least one line was short, so nothing is held; every short line is listed."""

    model_config = example(
        order_id=_ORDER, shortages=[{"sku": "MUG", "requested": 50, "available": 38}]
    )

    type: ClassVar[str] = "inventory.stock_rejected.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    shortages: tuple[Shortage, ...] = Field(min_length=1, description="Every line that is short.")


class StockReleased(Event):
    """What was held for an order is free again; no lines when nothing was held yet."""

    model_config = example(order_id=_ORDER, reason="cancelled", lines=[_LINE])

    type: ClassVar[str] = "inventory.stock_released.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    reason: Literal["cancelled", "expired"] = Field(description="What became of the order.")
    lines: tuple[ReservedLine, ...] = Field(description="What is free, and where.")


class StockIssued(Event):
    """Units of an order have left the house."""

    model_config = example(order_id=_ORDER, fulfillment_id=_FULFILLMENT, lines=[_LINE])

    type: ClassVar[str] = "inventory.stock_issued.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    fulfillment_id: FulfillmentId
    lines: tuple[ReservedLine, ...] = Field(min_length=1, description="What left, and whence.")


class StockIssueVoided(Event):
    """A fulfillment will never leave: it was cancelled in time, or nothing was held for it."""

    model_config = example(order_id=_ORDER, fulfillment_id=_FULFILLMENT, reason="cancelled")

    type: ClassVar[str] = "inventory.stock_issue_voided.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: OrderId
    fulfillment_id: FulfillmentId
    reason: Literal["cancelled", "not_held"] = Field(
        description="Whether it was cancelled in time, or there was nothing held to leave."
    )


class StockLow(Event):
    """A SKU fell to its low mark, over all locations; told when it crosses the mark."""

    model_config = example(sku="MUG", available=4, low_stock_at=5)

    type: ClassVar[str] = "inventory.stock_low.v1"
    subject_field: ClassVar[str] = "sku"

    sku: Sku
    available: int = Field(description="Units left to promise.")
    low_stock_at: int = Field(description="Its low mark.")


class StockOut(Event):
    """A SKU has nothing left to promise; told when the last unit goes."""

    model_config = example(sku="MUG")

    type: ClassVar[str] = "inventory.stock_out.v1"
    subject_field: ClassVar[str] = "sku"

    sku: Sku


class StockBack(Event):
    """A SKU that had nothing left to promise has something again."""

    model_config = example(sku="MUG", available=40)

    type: ClassVar[str] = "inventory.stock_back.v1"
    subject_field: ClassVar[str] = "sku"

    sku: Sku
    available: int = Field(description="Units to promise.")
