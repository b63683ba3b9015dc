"""What inventory tells the world. The only file of this module that others may import."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.bus.event import Event


class ReservedLine(BaseModel):
    """Units of one SKU held for an order, and where they lie."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    location: str
    quantity: int = Field(gt=0)


class Shortage(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    requested: int
    available: int


class StockReserved(Event):
    """Every line of the order is held; nobody else can have those units."""

    type: ClassVar[str] = "inventory.stock_reserved.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    lines: tuple[ReservedLine, ...]


class StockRejected(Event):
    """At least one line was short, so nothing is held; every short line is listed."""

    type: ClassVar[str] = "inventory.stock_rejected.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shortages: tuple[Shortage, ...] = Field(min_length=1)


class StockReleased(Event):
    """What was held for an order is free again; no lines when nothing was held yet."""

    type: ClassVar[str] = "inventory.stock_released.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    reason: Literal["cancelled", "expired"]
    lines: tuple[ReservedLine, ...]


class StockIssued(Event):
    """Units of an order have left the house."""

    type: ClassVar[str] = "inventory.stock_issued.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    fulfillment_id: str
    lines: tuple[ReservedLine, ...] = Field(min_length=1)


class StockIssueVoided(Event):
    """A fulfillment will never leave: it was cancelled in time, or nothing was held for it."""

    type: ClassVar[str] = "inventory.stock_issue_voided.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    fulfillment_id: str
    reason: Literal["cancelled", "not_held"]


class StockLow(Event):
    """A SKU fell to its low mark, over all locations; told when it crosses the mark."""

    type: ClassVar[str] = "inventory.stock_low.v1"
    subject_field: ClassVar[str] = "sku"

    sku: str
    available: int
    low_stock_at: int


class StockOut(Event):
    """A SKU has nothing left to promise; told when the last unit goes."""

    type: ClassVar[str] = "inventory.stock_out.v1"
    subject_field: ClassVar[str] = "sku"

    sku: str


class StockBack(Event):
    """A SKU that had nothing left to promise has something again."""

    type: ClassVar[str] = "inventory.stock_back.v1"
    subject_field: ClassVar[str] = "sku"

    sku: str
    available: int
