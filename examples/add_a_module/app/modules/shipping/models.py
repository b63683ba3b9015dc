"""The table shipping owns, and what its rows can be."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.bus.sql import UtcDateTime, code, now
from app.db import Base


class ShipmentStatus(StrEnum):
    """The life of a shipment: prepared, and then one of the other two for ever."""

    PREPARED = "prepared"
    DISPATCHED = "dispatched"
    CALLED_OFF = "called_off"


class Shipment(Base):
    """What leaves the house for one order.

    Events may come in any order, so a cancel that is heard before its order was confirmed leaves
    the same row, called off; the confirmation finds it there and prepares nothing.
    """

    __tablename__ = "shipping_shipments"
    __table_args__ = (Index(None, "status", "id"),)

    id: Mapped[str] = mapped_column(code(36), primary_key=True)
    order_id: Mapped[str] = mapped_column(code(36), unique=True)
    status: Mapped[str] = mapped_column(code(16))
    carrier: Mapped[str | None] = mapped_column(String(80))
    tracking: Mapped[str | None] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=now())


# The same table without its class: what set-based writes speak to.
shipments = Base.metadata.tables["shipping_shipments"]
