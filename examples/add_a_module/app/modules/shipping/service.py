"""What shipping does. Every function works in its caller's transaction and never commits."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import new_id
from app.bus.outbox import publish
from app.bus.sql import now, upsert
from app.modules.shipping.errors import ShipmentNotFoundError, ShipmentStateConflictError
from app.modules.shipping.events import ShipmentCalledOff, ShipmentDispatched, ShipmentPrepared
from app.modules.shipping.models import Shipment, ShipmentStatus, shipments


async def prepare(session: AsyncSession, order_id: str) -> None:
    """Make the shipment of an order; nothing happens where it has one, or was cancelled before."""
    made = await _add(session, order_id, ShipmentStatus.PREPARED)
    if made is not None:
        await publish(session, ShipmentPrepared(order_id=order_id, shipment_id=made))


async def call_off(session: AsyncSession, order_id: str) -> None:
    """Keep an order's shipment from leaving, also one that is yet to be prepared.

    What has left stays gone: that is for people to settle.
    """
    if await _add(session, order_id, ShipmentStatus.CALLED_OFF) is not None:
        return
    stopped = await session.scalar(
        update(shipments)
        .where(shipments.c.order_id == order_id, shipments.c.status == ShipmentStatus.PREPARED)
        .values(status=ShipmentStatus.CALLED_OFF, version=shipments.c.version + 1, updated_at=now())
        .returning(shipments.c.id)
    )
    if stopped is not None:
        await publish(session, ShipmentCalledOff(order_id=order_id, shipment_id=stopped))


async def _add(session: AsyncSession, order_id: str, status: ShipmentStatus) -> str | None:
    """Insert the row of an order and return its id; None when it has one."""
    added: str | None = await session.scalar(
        upsert(session, shipments)
        .values(id=f"shp_{new_id().hex}", order_id=order_id, status=status, version=1)
        .on_conflict_do_nothing()
        .returning(shipments.c.id)
    )
    return added


async def dispatch(
    session: AsyncSession, shipment_id: str, *, carrier: str, tracking: str | None
) -> Shipment:
    """Give a prepared shipment to its carrier.

    Raises ShipmentNotFoundError and ShipmentStateConflictError.
    """
    shipment = await session.get(Shipment, shipment_id, with_for_update=True)
    if shipment is None:
        raise _missing(shipment_id)
    if shipment.status != ShipmentStatus.PREPARED:
        msg = f"The shipment is {shipment.status}, so it cannot be dispatched."
        raise ShipmentStateConflictError(msg, current_status=shipment.status)
    shipment.status = ShipmentStatus.DISPATCHED
    shipment.carrier, shipment.tracking = carrier, tracking
    shipment.version += 1
    shipment.updated_at = now()
    await session.flush()
    await session.refresh(shipment)
    left = ShipmentDispatched(
        order_id=shipment.order_id, shipment_id=shipment_id, carrier=carrier, tracking=tracking
    )
    await publish(session, left)
    return shipment


async def get(session: AsyncSession, shipment_id: str) -> Shipment:
    """Return a shipment; raises ShipmentNotFoundError."""
    shipment = await session.get(Shipment, shipment_id)
    if shipment is None:
        raise _missing(shipment_id)
    return shipment


async def page(
    session: AsyncSession, status: ShipmentStatus | None, *, after: str | None, limit: int
) -> Sequence[Shipment]:
    """Return up to limit shipments by id: those after the given one, of the given status."""
    wanted = select(Shipment).order_by(Shipment.id).limit(limit)
    if status is not None:
        wanted = wanted.where(Shipment.status == status)
    if after is not None:
        wanted = wanted.where(Shipment.id > after)
    return (await session.scalars(wanted)).all()


def _missing(shipment_id: str) -> ShipmentNotFoundError:
    return ShipmentNotFoundError(f"There is no shipment {shipment_id}.")
