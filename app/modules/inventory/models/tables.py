"""The tables inventory owns: counters, what is held for whom, and the ledger that proves both."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.bus.sql import UtcDateTime, code, now
from app.db import Base

DEFAULT_LOCATION = "default"
"""Where stock lies when nobody says where; the first migration creates it."""


class ReservationState(StrEnum):
    """What became of an order's claim on stock.

    HELD and COMMITTED hold units, for an order to be confirmed and for a confirmed one. REJECTED
    was short. RELEASED gave its units back, VOID was released before it was made (the tombstone
    that a cancel leaves when it overtakes its order), CONSUMED has issued every unit.
    """

    HELD = "held"
    COMMITTED = "committed"
    REJECTED = "rejected"
    RELEASED = "released"
    VOID = "void"
    CONSUMED = "consumed"


class MovementKind(StrEnum):
    """Why a counter changed."""

    RECEIVE = "receive"
    RESERVE = "reserve"
    COMMIT = "commit"
    RELEASE = "release"
    ISSUE = "issue"
    ADJUST = "adjust"
    COUNT = "count"


class AdjustmentKind(StrEnum):
    """How people corrected a level: by a difference, or by what they counted."""

    ADJUST = "adjust"
    COUNT = "count"


class IssueState(StrEnum):
    """What became of a fulfillment: its units left, or it was cancelled before they did."""

    ISSUED = "issued"
    VOID = "void"


class Location(Base):
    """A place where stock lies; orders take it from the lowest priority that is active."""

    __tablename__ = "locations"

    id: Mapped[str] = mapped_column(code(64), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200))
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    active: Mapped[bool] = mapped_column(server_default=true())
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class StockItem(Base):
    """How a SKU is kept, over all locations. A SKU without a row has zeros.

    safety_stock units are never promised; at low_stock_at available units or fewer it runs low.
    """

    __tablename__ = "stock_items"
    __table_args__ = (
        CheckConstraint("safety_stock >= 0", name="safety_stock"),
        CheckConstraint("low_stock_at >= 0", name="low_stock_at"),
    )

    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    safety_stock: Mapped[int] = mapped_column(BigInteger)
    low_stock_at: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class StockLevel(Base):
    """How much of a SKU lies somewhere, and how much of that is spoken for.

    Of `reserved`, `committed` is promised to confirmed orders. Only `service/book.py` writes them,
    under locks taken in key order. The CHECKs are the last wall against overselling; they must
    never be the first.
    """

    __tablename__ = "stock_levels"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
        CheckConstraint("committed >= 0 AND committed <= reserved", name="committed"),
    )

    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    location: Mapped[str] = mapped_column(code(64), ForeignKey("locations.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)
    committed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    version: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class Reservation(Base):
    """The decision about one order: its key makes that decision happen once."""

    __tablename__ = "reservations"

    order_id: Mapped[str] = mapped_column(code(36), primary_key=True)
    state: Mapped[str] = mapped_column(code(16))
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class ReservationLine(Base):
    """Units held for an order, and how many of them were issued; a rejected one has none."""

    __tablename__ = "reservation_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("issued >= 0 AND issued <= quantity", name="issued"),
        Index(None, "sku", "order_id"),
    )

    order_id: Mapped[str] = mapped_column(
        code(36), ForeignKey("reservations.order_id"), primary_key=True
    )
    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    location: Mapped[str] = mapped_column(code(64), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    issued: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Issue(Base):
    """The decision about one fulfillment: its key makes that decision happen once."""

    __tablename__ = "issues"

    fulfillment_id: Mapped[str] = mapped_column(code(36), primary_key=True)
    order_id: Mapped[str] = mapped_column(code(36))
    state: Mapped[str] = mapped_column(code(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class Receipt(Base):
    """Goods that came in; its lines are the ledger's rows that carry its id.

    actor is the name of the principal who booked it.
    """

    __tablename__ = "receipts"

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    reference: Mapped[str | None] = mapped_column(code(120), unique=True)
    actor: Mapped[str | None] = mapped_column(code(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class Adjustment(Base):
    """A correction by people, by a difference or by a count; its lines are the ledger's rows.

    actor is the name of the principal who booked it.
    """

    __tablename__ = "adjustments"

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    kind: Mapped[str] = mapped_column(code(16))
    reason: Mapped[str] = mapped_column(String(200))
    reference: Mapped[str | None] = mapped_column(code(120), unique=True)
    actor: Mapped[str | None] = mapped_column(code(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


def _only_where_there(column: str) -> Index:
    """Index the rows of the ledger that have this id, which are few."""
    there = text(f"{column} IS NOT NULL")
    return Index(None, column, postgresql_where=there, sqlite_where=there)


class StockMovement(Base):
    """One change of one level and what the counters were after it: the ledger, append-only.

    Triggers refuse UPDATE and DELETE on both databases. Ids of one (sku, location) grow in commit
    order, because its level is locked when the row is written.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("reserved_after >= 0 AND reserved_after <= on_hand_after", name="after"),
        CheckConstraint(
            "committed_after >= 0 AND committed_after <= reserved_after", name="committed_after"
        ),
        UniqueConstraint("event_id", "sku", "location", "kind"),
        Index(None, "sku", "id"),
        Index(None, "location", "id"),
        Index(None, "order_id", "id"),
        _only_where_there("receipt_id"),
        _only_where_there("adjustment_id"),
        {"sqlite_autoincrement": True},
    )

    # SQLite gives never-reused ids to INTEGER keys only.
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True
    )
    sku: Mapped[str] = mapped_column(code(64))
    location: Mapped[str] = mapped_column(code(64))
    kind: Mapped[str] = mapped_column(code(16))
    d_on_hand: Mapped[int] = mapped_column(BigInteger)
    d_reserved: Mapped[int] = mapped_column(BigInteger)
    d_committed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    on_hand_after: Mapped[int] = mapped_column(BigInteger)
    reserved_after: Mapped[int] = mapped_column(BigInteger)
    committed_after: Mapped[int] = mapped_column(BigInteger, server_default="0")
    order_id: Mapped[str | None] = mapped_column(code(36))
    receipt_id: Mapped[str | None] = mapped_column(code(36))
    adjustment_id: Mapped[str | None] = mapped_column(code(36))
    fulfillment_id: Mapped[str | None] = mapped_column(code(36))
    event_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


# The same tables without their classes: what set-based writes speak to.
locations = Base.metadata.tables["locations"]
stock_items = Base.metadata.tables["stock_items"]
stock_levels = Base.metadata.tables["stock_levels"]
reservations = Base.metadata.tables["reservations"]
reservation_lines = Base.metadata.tables["reservation_lines"]
issues = Base.metadata.tables["issues"]
receipts = Base.metadata.tables["receipts"]
adjustments = Base.metadata.tables["adjustments"]
stock_movements = Base.metadata.tables["stock_movements"]
