"""The peers' tables: what an order, its outbox and its reservation need, and not one index more.

Fewer than ours, which keep a ledger, a timeline and what reconcile asks; that is in their favour.
"""

from datetime import datetime
from uuid import UUID

import psycopg
from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Integer,
    String,
    Text,
    create_engine,
    func,
    make_url,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.orders import STOCK, sku_names

# SQLite numbers INTEGER keys only.
_Serial = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """The peers' tables."""


class Order(Base):
    """An order with its lines."""

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(120))
    status: Mapped[str] = mapped_column(String(16))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    lines: Mapped[list["Line"]] = relationship()


class Line(Base):
    """Units of one SKU."""

    __tablename__ = "order_lines"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)


class Outbox(Base):
    """An event that waits for the relay."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    event_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(120))
    payload: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Inbox(Base):
    """An event that was handled."""

    __tablename__ = "inbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    handled_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Stock(Base):
    """How much of a SKU there is, and how much of that is spoken for."""

    __tablename__ = "stock"

    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)


class Reservation(Base):
    """Units held for an order."""

    __tablename__ = "reservations"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)


def plain(database: str) -> str:
    """Return a URL as psycopg and asyncpg take it."""
    return make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)


def create(database: str, skus: int) -> None:
    """Make the tables, an index for the relay, and stock of so many SKUs."""
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    engine.dispose()
    with psycopg.connect(plain(database), autocommit=True) as connection:
        connection.execute("CREATE INDEX ON outbox (id) WHERE published_at IS NULL")
        with connection.cursor().copy("COPY stock FROM STDIN") as copy:
            for sku in sku_names(skus):
                copy.write_row((sku, STOCK, 0))
        connection.execute("ANALYZE")
