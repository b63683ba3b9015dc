"""What inventory tells the world. The only file of this module that others may import."""

from typing import ClassVar

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
