"""Levels, the ledger, availability and reservations over REST."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.modules.inventory.models.drafts import (
    Availability,
    Counters,
    Drift,
    HeldStock,
    ShelfLevel,
)
from app.modules.inventory.models.tables import (
    DEFAULT_LOCATION,
    MovementKind,
    ReservationState,
    StockMovement,
)
from app.modules.inventory.schemas.examples import MOMENT, example

_ORDER = "ord_0199f2c43c7b7d0a8b0e5f1d2c3b4a59"
_MUG: dict[str, Any] = {"sku": "MUG", "location": DEFAULT_LOCATION}


class LevelView(BaseModel):
    """How much lies somewhere, and how much of it nobody has spoken for.

    `available` counts this location alone, and safety stock in: what an order can have is what
    `/v1/inventory/availability` says.
    """

    model_config = example(
        **_MUG,
        on_hand=40,
        reserved=2,
        available=38,
        committed=2,
        safety_stock=5,
        low_stock_at=10,
    )

    sku: str
    location: str
    on_hand: int
    reserved: int
    available: Annotated[int, Field(description="`on_hand` less `reserved`.")]
    committed: Annotated[
        int, Field(description="The part of `reserved` that is for confirmed orders.")
    ]
    safety_stock: Annotated[
        int, Field(description="Units of the SKU that are never promised, over all locations.")
    ]
    low_stock_at: Annotated[
        int, Field(description="What counts as low of the SKU, over all locations.")
    ]

    @classmethod
    def of(cls, level: ShelfLevel) -> Self:
        """Show a level."""
        return cls(
            sku=level.sku,
            location=level.location,
            on_hand=level.on_hand,
            reserved=level.reserved,
            available=level.on_hand - level.reserved,
            committed=level.committed,
            safety_stock=level.safety_stock,
            low_stock_at=level.low_stock_at,
        )


class AvailabilityView(BaseModel):
    """What an order of this moment could have of a SKU, over all locations that are active."""

    model_config = example(sku="MUG", available=38, in_stock=True)

    sku: str
    available: int
    in_stock: bool

    @classmethod
    def of(cls, found: Availability) -> Self:
        """Show what can be promised of a SKU."""
        return cls(sku=found.sku, available=found.available, in_stock=found.available > 0)


class AvailabilityList(BaseModel):
    """One item per SKU asked for, in that order."""

    model_config = example(items=[{"sku": "MUG", "available": 38, "in_stock": True}])

    items: list[AvailabilityView]


class MovementView(BaseModel):
    """A row of the ledger: what changed, why, and what the counters were after it.

    The CSV has a column for each member, under its name.
    """

    model_config = example(
        id=7,
        **_MUG,
        kind="reserve",
        on_hand_change=0,
        reserved_change=2,
        committed_change=2,
        on_hand_after=40,
        reserved_after=2,
        committed_after=2,
        order_id=_ORDER,
        receipt_id=None,
        adjustment_id=None,
        fulfillment_id=None,
        event_id="0199f2c4-3c7b-7d0a-8b0e-5f1d2c3b4a59",
        created_at=MOMENT,
    )

    id: int
    sku: str
    location: str
    kind: MovementKind
    on_hand_change: int
    reserved_change: int
    committed_change: int
    on_hand_after: int
    reserved_after: int
    committed_after: int
    order_id: str | None
    receipt_id: str | None
    adjustment_id: str | None
    fulfillment_id: str | None
    event_id: Annotated[UUID | None, Field(description="The event that it was done for.")]
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
            committed_change=movement.d_committed,
            on_hand_after=movement.on_hand_after,
            reserved_after=movement.reserved_after,
            committed_after=movement.committed_after,
            order_id=movement.order_id,
            receipt_id=movement.receipt_id,
            adjustment_id=movement.adjustment_id,
            fulfillment_id=movement.fulfillment_id,
            event_id=movement.event_id,
            created_at=movement.created_at,
        )


class ReservedLineView(BaseModel):
    """Units taken at a location, and how many of them have left."""

    sku: str
    location: str
    quantity: int
    issued: int


class ReservationView(BaseModel):
    """What became of an order's stock.

    `held` and `committed` hold units, for an order to be confirmed and for a confirmed one;
    `rejected` was short; `released` gave its units back, and still shows them; `void` was released
    before it was made; `consumed` has issued every unit.
    """

    model_config = example(
        order_id=_ORDER,
        state="committed",
        lines=[{**_MUG, "quantity": 2, "issued": 0}],
        created_at=MOMENT,
        updated_at=MOMENT,
    )

    order_id: str
    state: ReservationState
    lines: list[ReservedLineView]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, held: HeldStock) -> Self:
        """Show a reservation."""
        return cls(
            order_id=held.order_id,
            state=held.state,
            lines=[
                ReservedLineView(
                    sku=line.sku,
                    location=line.location,
                    quantity=line.quantity,
                    issued=line.issued,
                )
                for line in held.lines
            ],
            created_at=held.created_at,
            updated_at=held.updated_at,
        )


class CountersView(BaseModel):
    """What one side says of a level."""

    on_hand: int
    reserved: int
    committed: int

    @classmethod
    def of(cls, counters: Counters) -> Self:
        """Show counters."""
        return cls(
            on_hand=counters.on_hand,
            reserved=counters.reserved,
            committed=counters.committed,
        )


class DriftView(BaseModel):
    """A level where counters, ledger and reservations do not say the same.

    Reservations say nothing of what is on hand: there they repeat the counter.
    """

    sku: str
    location: str
    counters: CountersView
    ledger: CountersView
    reservations: CountersView

    @classmethod
    def of(cls, drift: Drift) -> Self:
        """Show where the sides differ."""
        return cls(
            sku=drift.sku,
            location=drift.location,
            counters=CountersView.of(drift.counters),
            ledger=CountersView.of(drift.ledger),
            reservations=CountersView.of(drift.reservations),
        )


class VerificationView(BaseModel):
    """How many levels were compared, and the first hundred that do not add up: none, ever."""

    model_config = example(levels_checked=1200, drift=[])

    levels_checked: int
    drift: list[DriftView]
