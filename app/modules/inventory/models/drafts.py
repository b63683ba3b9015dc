"""What inventory is asked to book, and what it answers: plain values, no rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from app.bus.event import new_id
from app.modules.inventory.models.tables import (
    DEFAULT_LOCATION,
    AdjustmentKind,
    ReservationState,
)


def new_receipt_id() -> str:
    """Return an id no receipt has; later ones sort after earlier ones."""
    return f"rcp_{new_id().hex}"


def new_adjustment_id() -> str:
    """Return an id no adjustment has; later ones sort after earlier ones."""
    return f"adj_{new_id().hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDraft:
    """Goods that came in at a location, as (sku, quantity) pairs.

    The id is part of the draft, so that the same draft tried again is the same receipt. actor is
    the name of the principal who books it.
    """

    lines: Sequence[tuple[str, int]]
    location: str = DEFAULT_LOCATION
    reference: str | None = None
    actor: str | None = None
    id: str = field(default_factory=new_receipt_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A receipt as booked, units by SKU."""

    id: str
    reference: str | None
    actor: str | None
    location: str
    created_at: datetime
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaLine:
    """So many units more, or fewer, than the books say."""

    sku: str
    location: str = DEFAULT_LOCATION
    delta: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """So many units were counted.

    expected_on_hand is what the books said when the counting began; None overwrites whatever they
    say now.
    """

    sku: str
    location: str = DEFAULT_LOCATION
    on_hand: int
    expected_on_hand: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentDraft:
    """A correction by differences, and why. A level that comes twice is added up."""

    kind: ClassVar[AdjustmentKind] = AdjustmentKind.ADJUST

    lines: Sequence[DeltaLine]
    reason: str
    reference: str | None = None
    actor: str | None = None
    id: str = field(default_factory=new_adjustment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDraft:
    """A correction by counting, and why it was counted. A level comes once."""

    kind: ClassVar[AdjustmentKind] = AdjustmentKind.COUNT

    lines: Sequence[CountLine]
    reason: str
    reference: str | None = None
    actor: str | None = None
    id: str = field(default_factory=new_adjustment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedLine:
    """What changed on hand, and the counters after it."""

    sku: str
    location: str
    delta: int
    on_hand: int
    reserved: int
    committed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """An adjustment or a count as booked."""

    id: str
    kind: AdjustmentKind
    reason: str
    reference: str | None
    actor: str | None
    created_at: datetime
    lines: Sequence[CorrectedLine]


@dataclass(frozen=True, slots=True)
class ShelfLevel:
    """The counters of a SKU at a location, and how the SKU is kept over all locations."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    committed: int
    safety_stock: int
    low_stock_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What can be promised of a SKU, over all locations that are active.

    on_hand and reserved count those locations only; available is what is left of their difference
    when safety_stock is kept back, and never below zero. A SKU nobody ever saw has zeros.
    """

    sku: str
    on_hand: int = 0
    reserved: int = 0
    safety_stock: int = 0
    low_stock_at: int = 0

    @property
    def available(self) -> int:
        """How many units an order could have now."""
        return max(0, self.on_hand - self.reserved - self.safety_stock)

    @property
    def low(self) -> bool:
        """Tell whether it is at its low mark or below, or out."""
        return self.available <= self.low_stock_at


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """Units of a SKU taken at a location for an order, and how many of them have left."""

    sku: str
    location: str
    quantity: int
    issued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStock:
    """A reservation with its lines; a released one still shows what it held."""

    order_id: str
    state: ReservationState
    version: int
    created_at: datetime
    updated_at: datetime
    lines: Sequence[HeldLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one side says of a level: on hand, reserved, and committed of that."""

    on_hand: int
    reserved: int
    committed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A level where counters, ledger and reservations do not say the same.

    Reservations say nothing of what is on hand, so there they agree with the counters.
    """

    sku: str
    location: str
    counters: Counters
    ledger: Counters
    reservations: Counters
