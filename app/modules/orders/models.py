"""The tables orders owns, the life of an order, and what an order is outside of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache

from iso4217 import Currency
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.bus.event import new_id
from app.bus.sql import UtcDateTime, code, now
from app.db import Base

LARGEST = 2**63 - 1
"""What a BIGINT holds: no price and no total is larger."""


class OrderStatus(StrEnum):
    """Where an order stands; every change is a compare-and-set on it."""

    PENDING = "pending"
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FULFILLED = "fulfilled"


@cache
def exponent(currency: str) -> int | None:
    """Return how many decimals a currency has by ISO 4217, None for what nobody pays in.

    None covers unknown codes, and codes such as XAU and XXX that have no minor unit.
    """
    try:
        places = Currency(currency).exponent
    except ValueError:
        return None
    return None if places is None else int(places)


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
    """A customer's order; ids grow with time, so they also sort it."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_minor >= 0", name="total"),
        Index(None, "status", "id"),
        Index(None, "customer_id", "id"),
    )

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    reference: Mapped[str | None] = mapped_column(code(120), unique=True)
    customer_id: Mapped[str] = mapped_column(code(120))
    status: Mapped[str] = mapped_column(code(16))
    currency: Mapped[str] = mapped_column(code(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


class OrderLine(Base):
    """One SKU of an order, with title and price as they were when it was placed.

    `available` is set when the order was rejected and this line was short: what there was then.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("unit_price_minor >= 0", name="unit_price"),
    )

    order_id: Mapped[str] = mapped_column(code(36), ForeignKey("orders.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(code(64), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(BigInteger)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    available: Mapped[int | None] = mapped_column(BigInteger)


# The same tables without their classes: what set-based writes speak to.
products = Base.metadata.tables["products"]
orders = Base.metadata.tables["orders"]
order_lines = Base.metadata.tables["order_lines"]


def new_order_id() -> str:
    """Return an id no order has; later ones sort after earlier ones."""
    return f"ord_{new_id().hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What a customer asks for, as (sku, quantity) pairs.

    The id is part of the draft, so that the same draft tried again is the same order.
    """

    customer_id: str
    lines: Sequence[tuple[str, int]]
    reference: str | None = None
    id: str = field(default_factory=new_order_id)

    @property
    def quantities(self) -> dict[str, int]:
        """Units by SKU in the order asked for, a SKU that comes twice added up."""
        merged: dict[str, int] = {}
        for sku, quantity in self.lines:
            merged[sku] = merged.get(sku, 0) + quantity
        return merged


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLine:
    """A line with the title and price of its moment; `available` only where it was short."""

    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    available: int | None = None

    @property
    def total_minor(self) -> int:
        """What the line costs: exact, because both factors are integers."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """An order with its lines, in the order they were asked for."""

    id: str
    reference: str | None
    customer_id: str
    status: OrderStatus
    currency: str
    total_minor: int
    version: int
    created_at: datetime
    updated_at: datetime
    lines: tuple[PlacedLine, ...]
