"""What inventory reads and writes over REST."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from app.modules.inventory.models import (
    DEFAULT_LOCATION,
    MovementKind,
    Received,
    StockLevel,
    StockMovement,
)
from app.web.fields import Quantity, Reference, Sku, Wire

MOST_LINES = 1000
"""How many lines a receipt may have."""


class NewReceiptLine(Wire):
    """Units of a SKU that came in; a SKU that comes twice is added up."""

    sku: Sku
    quantity: Quantity


class NewReceipt(Wire):
    """Goods that came in. A SKU need not be a product yet."""

    lines: Annotated[list[NewReceiptLine], Field(min_length=1, max_length=MOST_LINES)]
    reference: Reference | None = None


class ReceiptLineView(BaseModel):
    """Units booked, and where they lie."""

    sku: str
    location: str
    quantity: int


class ReceiptView(BaseModel):
    """A receipt as booked."""

    id: str
    reference: str | None
    lines: list[ReceiptLineView]
    created_at: datetime

    @classmethod
    def of(cls, receipt: Received) -> Self:
        """Show a receipt."""
        return cls(
            id=receipt.id,
            reference=receipt.reference,
            lines=[
                ReceiptLineView(sku=sku, location=DEFAULT_LOCATION, quantity=quantity)
                for sku, quantity in receipt.units.items()
            ],
            created_at=receipt.created_at,
        )


class LevelView(BaseModel):
    """How much lies somewhere, and how much of it nobody has spoken for."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    available: int

    @classmethod
    def of(cls, level: StockLevel) -> Self:
        """Show a level."""
        return cls(
            sku=level.sku,
            location=level.location,
            on_hand=level.on_hand,
            reserved=level.reserved,
            available=level.on_hand - level.reserved,
        )


class MovementView(BaseModel):
    """A row of the ledger: what changed, why, and what the counters were after it."""

    id: int
    sku: str
    location: str
    kind: MovementKind
    on_hand_change: int
    reserved_change: int
    on_hand_after: int
    reserved_after: int
    order_id: str | None
    receipt_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, movement: StockMovement) -> Self:
        """Show a row of the ledger."""
        return cls(
            id=movement.id,
            sku=movement.sku,
            location=movement.location,
            kind=MovementKind(movement.kind),
            on_hand_change=movement.d_on_hand,
            reserved_change=movement.d_reserved,
            on_hand_after=movement.on_hand_after,
            reserved_after=movement.reserved_after,
            order_id=movement.order_id,
            receipt_id=movement.receipt_id,
            created_at=movement.created_at,
        )
