"""What happens to orders over REST: asking for it, reading of it, and what does not happen."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import HistoryEntry, StuckOrder, Wait
from app.modules.orders.schemas.orders import ORDER_ID, HoldSeconds
from app.modules.orders.schemas.products import MOMENT, example
from app.web.fields import Text, Wire

REASON = "requested"
"""The reason of a cancellation that gives none."""


class Confirmation(Wire):
    """Nothing is to be said about confirming an order."""

    model_config = example()


class Extension(Wire):
    """For how long an order is held from now on; as long as at first, unless it says."""

    model_config = example(seconds=1800)

    seconds: HoldSeconds | None = None


class Cancellation(Wire):
    """Why an order is called off, for whoever reads it later."""

    model_config = example(reason="Paid twice")

    reason: Annotated[str, Text(500), Field(examples=["Paid twice"])] = REASON


class FulfillmentCancellation(Wire):
    """Nothing is to be said about keeping a fulfillment."""

    model_config = example()


class HistoryView(BaseModel):
    """What happened to an order, and how long after the entry before; null for the first.

    Done by an event, or by an actor, or by neither when its time had come.
    """

    model_config = example(
        version=2,
        action="confirm",
        from_status="pending",
        to_status="confirmed",
        actor=None,
        event_id="0199f2c4-3c7b-7d0a-8b0e-5f1d2c3b4a59",
        event_type="inventory.stock_reserved.v1",
        detail={},
        at=MOMENT,
        latency_ms=7,
    )

    version: int
    action: Action
    from_status: OrderStatus | None
    to_status: OrderStatus
    actor: str | None
    event_id: UUID | None
    event_type: str | None
    detail: dict[str, Any]
    at: datetime
    latency_ms: int | None

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """Show an entry of a timeline."""
        return cls(
            version=entry.version,
            action=entry.action,
            from_status=entry.from_status,
            to_status=entry.to_status,
            actor=entry.actor,
            event_id=entry.event_id,
            event_type=entry.event_type,
            detail=dict(entry.detail),
            at=entry.at,
            latency_ms=entry.latency_ms,
        )


class StuckView(BaseModel):
    """An order that waits for longer than it should: for what, and since when.

    `decision`: pending, and inventory has not answered. `expiry`: its hold is over, and it has not
    expired. `issue`: a fulfillment has neither left nor been cancelled.
    """

    model_config = example(
        order_id=ORDER_ID, waits_for="decision", since=MOMENT, fulfillment_id=None
    )

    order_id: str
    waits_for: Wait
    since: datetime
    fulfillment_id: str | None

    @classmethod
    def of(cls, order: StuckOrder) -> Self:
        """Show an order that is stuck."""
        return cls(
            order_id=order.order_id,
            waits_for=order.waits_for,
            since=order.since,
            fulfillment_id=order.fulfillment_id,
        )
