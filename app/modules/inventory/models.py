"""The tables inventory owns: counters, what is held for whom, and the ledger that proves both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.bus.event import new_id
from app.bus.sql import UtcDateTime, code, now
from app.db import Base

DEFAULT_LOCATION = "default"
"""The one location there is; the first migration creates it."""


class ReservationState(StrEnum):
    """What became of an order's claim on stock."""

    HELD = "held"
    REJECTED = "rejected"


class MovementKind(StrEnum):
    """Why a counter changed."""

    RECEIVE = "receive"
    RESERVE = "reserve"


class Location(Base):
    """A place where stock lies."""

    __tablename__ = "locations"

    id: Mapped[str] = mapped_column(code(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class StockLevel(Base):
    """How much of a SKU lies somewhere, and how much of that is spoken for.

    The CHECKs are the last wall against overselling; they must never be the first.
    """

    __tablename__ = "stock_levels"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    )

    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    location: Mapped[str] = mapped_column(code(64), ForeignKey("locations.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)
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
    """Units held for an order; a rejected reservation has none."""

    __tablename__ = "reservation_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    order_id: Mapped[str] = mapped_column(
        code(36), ForeignKey("reservations.order_id"), primary_key=True
    )
    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    location: Mapped[str] = mapped_column(code(64), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)


class Receipt(Base):
    """Goods that came in; its lines are the ledger's rows that carry its id."""

    __tablename__ = "receipts"

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    reference: Mapped[str | None] = mapped_column(code(120), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class StockMovement(Base):
    """One change of one level and what the counters were after it: the ledger, append-only.

    Triggers refuse UPDATE and DELETE on both databases. Ids of one (sku, location) grow in commit
    order, because its level is locked when the row is written.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("reserved_after >= 0 AND reserved_after <= on_hand_after", name="after"),
        UniqueConstraint("event_id", "sku", "location", "kind"),
        Index(None, "sku", "id"),
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
    on_hand_after: Mapped[int] = mapped_column(BigInteger)
    reserved_after: Mapped[int] = mapped_column(BigInteger)
    order_id: Mapped[str | None] = mapped_column(code(36))
    receipt_id: Mapped[str | None] = mapped_column(code(36))
    event_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


# The same tables without their classes: what set-based writes speak to.
stock_levels = Base.metadata.tables["stock_levels"]
reservations = Base.metadata.tables["reservations"]
reservation_lines = Base.metadata.tables["reservation_lines"]
receipts = Base.metadata.tables["receipts"]
stock_movements = Base.metadata.tables["stock_movements"]


def new_receipt_id() -> str:
    """Return an id no receipt has; later ones sort after earlier ones."""
    return f"rcp_{new_id().hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDraft:
    """Goods that came in, as (sku, quantity) pairs.

    The id is part of the draft, so that the same draft tried again is the same receipt.
    """

    lines: Sequence[tuple[str, int]]
    reference: str | None = None
    id: str = field(default_factory=new_receipt_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A receipt as booked, units by SKU."""

    id: str
    reference: str | None
    created_at: datetime
    units: dict[str, int]
