"""The tables orders owns."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.bus.sql import UtcDateTime, code, now
from app.db import Base


class Product(Base):
    """What can be ordered, and for how much."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("unit_price_minor >= 0", name="unit_price"),)

    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(code(3))
    active: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class Order(Base):
    """A customer's order; ids grow with time, so they also sort it.

    A manual order that is reserved is held until expires_at, which is permission to expire and not
    expiry: whoever changes the status first, wins. hold_s is how long it is held, reserved_at since
    when. created_event_id is the event that told the world of it.
    """

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_minor >= 0", name="total"),
        Index(None, "status", "id"),
        Index(None, "customer_id", "id"),
        Index(
            "ix_orders_held",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
            sqlite_where=text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    reference: Mapped[str | None] = mapped_column(code(120), unique=True)
    customer_id: Mapped[str] = mapped_column(code(120))
    status: Mapped[str] = mapped_column(code(16))
    currency: Mapped[str] = mapped_column(code(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    confirm: Mapped[str] = mapped_column(code(8), server_default="auto")
    hold_s: Mapped[int | None] = mapped_column(Integer)
    reserved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_reason: Mapped[str | None] = mapped_column(String(500))
    created_event_id: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class OrderLine(Base):
    """One SKU of an order, with title and price as they were when it was placed.

    `available` is set when the order was rejected and this line was short: what there was then.
    Of the quantity, `fulfilling` units are in fulfillments under way and `fulfilled` have left.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price_minor >= 0", name="unit_price"),
        CheckConstraint(
            "fulfilling >= 0 AND fulfilled >= 0 AND fulfilling + fulfilled <= quantity",
            name="fulfilled",
        ),
        Index(None, "sku", "order_id"),
    )

    order_id: Mapped[str] = mapped_column(code(36), ForeignKey("orders.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(BigInteger)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    available: Mapped[int | None] = mapped_column(BigInteger)
    fulfilling: Mapped[int] = mapped_column(BigInteger, server_default="0")
    fulfilled: Mapped[int] = mapped_column(BigInteger, server_default="0")


class TimelineEntry(Base):
    """What happened to an order, by version: 1 to the order's own without a gap; never changed.

    Done by an event (event_id, event_type) or by somebody (actor, a principal's name); by neither
    when a timer did it. detail is a JSON object.
    """

    __tablename__ = "order_timeline"

    order_id: Mapped[str] = mapped_column(code(36), ForeignKey("orders.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    action: Mapped[str] = mapped_column(code(24))
    from_status: Mapped[str | None] = mapped_column(code(16))
    to_status: Mapped[str] = mapped_column(code(16))
    actor: Mapped[str | None] = mapped_column(code(80))
    event_id: Mapped[UUID | None]
    event_type: Mapped[str | None] = mapped_column(code(120))
    detail: Mapped[str] = mapped_column(Text, server_default="{}")
    at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class Fulfillment(Base):
    """Units of a confirmed order on their way out of the house."""

    __tablename__ = "fulfillments"
    __table_args__ = (
        Index(None, "order_id", "id"),
        Index(
            "ix_fulfillments_open",
            "id",
            postgresql_where=text("status IN ('requested', 'cancelling')"),
            sqlite_where=text("status IN ('requested', 'cancelling')"),
        ),
    )

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    order_id: Mapped[str] = mapped_column(code(36), ForeignKey("orders.id"))
    status: Mapped[str] = mapped_column(code(16))
    tracking: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class FulfillmentLine(Base):
    """How many units of a line a fulfillment takes."""

    __tablename__ = "fulfillment_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    fulfillment_id: Mapped[str] = mapped_column(
        code(36), ForeignKey("fulfillments.id"), primary_key=True
    )
    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)


# The same tables without their classes: what set-based writes speak to.
products = Base.metadata.tables["products"]
orders = Base.metadata.tables["orders"]
order_lines = Base.metadata.tables["order_lines"]
order_timeline = Base.metadata.tables["order_timeline"]
fulfillments = Base.metadata.tables["fulfillments"]
fulfillment_lines = Base.metadata.tables["fulfillment_lines"]
