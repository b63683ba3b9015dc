"""What an order is outside of its tables: as it is asked for, and as it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.bus.event import Context, current_context, new_id, new_id_hex
from app.modules.orders.models.life import (
    Action,
    ConfirmMode,
    FulfillmentStatus,
    OrderStatus,
    allowed_actions,
)

DEFAULT_HOLD_S = 900
"""How long a manual order holds its stock when its draft does not say."""


def new_order_id() -> str:
    """Return an id no order has; later ones sort after earlier ones."""
    return f"ord_{new_id_hex()}"


def new_fulfillment_id() -> str:
    """Return an id no fulfillment has; later ones sort after earlier ones."""
    return f"ful_{new_id_hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPrice:
    """What the customer believes one unit of a SKU costs."""

    sku: str
    unit_price_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What a customer asks for, as (sku, quantity) pairs.

    The ids of the order and of the event that tells of it are part of the draft, so that the same
    draft tried again is the same order and the same news. hold_s is for manual orders: seconds,
    from the moment the stock is held. actor is who asks, and context the work it is part of.
    """

    customer_id: str
    lines: Sequence[tuple[str, int]]
    reference: str | None = None
    confirm: ConfirmMode = ConfirmMode.AUTO
    hold_s: int | None = None
    expected: Sequence[ExpectedPrice] = ()
    actor: str | None = None
    context: Context | None = field(default_factory=current_context.get)
    id: str = field(default_factory=new_order_id)
    event_id: UUID = field(default_factory=new_id)

    @property
    def quantities(self) -> dict[str, int]:
        """Units by SKU in the order asked for, a SKU that comes twice added up."""
        merged: dict[str, int] = {}
        for sku, quantity in self.lines:
            merged[sku] = merged.get(sku, 0) + quantity
        return merged

    @property
    def held_s(self) -> int | None:
        """Seconds the order will hold its stock for somebody to confirm; None for an auto one."""
        if self.confirm is ConfirmMode.AUTO:
            return None
        return self.hold_s or DEFAULT_HOLD_S


class PlacedLine(NamedTuple):
    """A line with the title and price of its moment; `available` only where it was short.

    Of the quantity, `fulfilling` units are in fulfillments under way and `fulfilled` have left.
    """

    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    available: int | None = None
    fulfilling: int = 0
    fulfilled: int = 0

    @property
    def total_minor(self) -> int:
        """What the line costs: exact, because both factors are integers."""
        return self.quantity * self.unit_price_minor

    @property
    def open(self) -> int:
        """Units that no fulfillment takes."""
        return self.quantity - self.fulfilling - self.fulfilled


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFulfillment:
    """A fulfillment, with its units by SKU in the order of the order's lines."""

    id: str
    order_id: str
    status: FulfillmentStatus
    tracking: str | None
    lines: Mapping[str, int]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHead:
    """An order without its lines.

    hold_s and reserved_at are those of a manual order, expires_at that of one that is held now.
    """

    id: str
    reference: str | None
    customer_id: str
    status: OrderStatus
    currency: str
    total_minor: int
    confirm: ConfirmMode = ConfirmMode.AUTO
    hold_s: int | None = None
    reserved_at: datetime | None = None
    expires_at: datetime | None = None
    cancel_reason: str | None = None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder(OrderHead):
    """An order with its lines, in the order they were asked for, and its fulfillments by age."""

    lines: tuple[PlacedLine, ...]
    fulfillments: tuple[PlacedFulfillment, ...] = ()

    @property
    def open_units(self) -> int:
        """Units that no fulfillment takes."""
        return sum(line.open for line in self.lines)

    @property
    def moving_units(self) -> int:
        """Units in fulfillments under way."""
        return sum(line.fulfilling for line in self.lines)

    @property
    def allowed_actions(self) -> list[Action]:
        """What somebody may ask for this order as it stands: confirm, extend, cancel, fulfill."""
        return allowed_actions(
            self.status, open_units=self.open_units, moving_units=self.moving_units
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder(OrderHead):
    """An order of a list: of its lines only the sums."""

    open_units: int
    moving_units: int

    @property
    def allowed_actions(self) -> list[Action]:
        """What somebody may ask for this order as it stands: confirm, extend, cancel, fulfill."""
        return allowed_actions(
            self.status, open_units=self.open_units, moving_units=self.moving_units
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What happened to an order, and how long after the entry before; None for the first.

    Done by an event, or by an actor, or by neither when a timer did it.
    """

    version: int
    action: Action
    from_status: OrderStatus | None
    to_status: OrderStatus
    actor: str | None
    event_id: UUID | None
    event_type: str | None
    detail: Mapping[str, object]
    at: datetime
    latency_ms: int | None


class Wait(StrEnum):
    """What an order waits for.

    DECISION: pending, and inventory has not answered. EXPIRY: reserved and overdue, but not yet
    expired. ISSUE: a fulfillment that neither left nor was cancelled.
    """

    DECISION = "decision"
    EXPIRY = "expiry"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckOrder:
    """An order, what it waits for, and since when."""

    order_id: str
    waits_for: Wait
    since: datetime
    fulfillment_id: str | None

    @property
    def id(self) -> str:
        """What waits: the fulfillment, or the order itself."""
        return self.fulfillment_id or self.order_id
