"""Fulfilling orders: units leave the house in one fulfillment or several, or stay after all.

Orders asks and inventory answers: whether a fulfillment was issued or cancelled is decided there.
Until then its units are `fulfilling`, and only this file counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, String, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.sql import now, rows
from app.modules.orders.errors import (
    ExceedsOpenQuantityError,
    FulfillmentIssuedError,
    FulfillmentNotFoundError,
)
from app.modules.orders.events import FulfillmentCancelRequested, FulfillmentRequested, OrderedLine
from app.modules.orders.models.life import Action, FulfillmentStatus
from app.modules.orders.models.order import (
    PlacedFulfillment,
    PlacedOrder,
    new_fulfillment_id,
)
from app.modules.orders.models.tables import fulfillment_lines, fulfillments, order_lines
from app.modules.orders.service.command import Caller, begin
from app.modules.orders.service.read import get_order
from app.modules.orders.service.transition import Step, move


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentDraft:
    """Units that shall leave, as (sku, quantity) pairs; None for every unit that is open."""

    lines: Sequence[tuple[str, int]] | None = None
    tracking: str | None = None


async def fulfill(
    session: AsyncSession, order_id: str, caller: Caller, draft: FulfillmentDraft
) -> tuple[PlacedOrder, PlacedFulfillment]:
    """Ask for units of a confirmed order to leave, and publish FulfillmentRequested.

    Returns the order and the new fulfillment, which is `requested`. Raises
    ExceedsOpenQuantityError with every line that asks for too much, OrderStateConflictError (also
    when no unit is open), OrderNotFoundError or PreconditionFailedError.
    """
    found, order = await begin(session, order_id, Action.FULFILL, caller)
    units = _units(order, draft)
    id_ = new_fulfillment_id()
    await session.execute(
        insert(fulfillments).values(
            id=id_,
            order_id=order_id,
            status=FulfillmentStatus.REQUESTED,
            tracking=draft.tracking,
        )
    )
    given = rows(
        session, sku=(String(), list(units)), quantity=(BigInteger(), list(units.values()))
    )
    await session.execute(
        insert(fulfillment_lines).values(
            [
                {"fulfillment_id": id_, "sku": sku, "quantity": quantity}
                for sku, quantity in units.items()
            ]
        )
    )
    await session.execute(
        update(order_lines)
        .where(order_lines.c.order_id == order_id, order_lines.c.sku == given.c.sku)
        .values(fulfilling=order_lines.c.fulfilling + given.c.quantity)
    )
    step = Step(
        order_id=order_id,
        action=Action.FULFILL,
        actor=caller.actor,
        detail={"fulfillment_id": id_, "lines": units},
    )
    await move(session, found, [step])
    lines = tuple(OrderedLine(sku=sku, quantity=quantity) for sku, quantity in units.items())
    await publish(session, FulfillmentRequested(order_id=order_id, fulfillment_id=id_, lines=lines))
    order = await get_order(session, order_id)
    return order, _fulfillment(order, id_)


def _units(order: PlacedOrder, draft: FulfillmentDraft) -> dict[str, int]:
    """Return the units asked for by SKU, in the order of the order's lines."""
    is_open = {line.sku: line.open for line in order.lines}
    if draft.lines is None:
        return {sku: units for sku, units in is_open.items() if units}
    wanted: dict[str, int] = {}
    for sku, quantity in draft.lines:
        wanted[sku] = wanted.get(sku, 0) + quantity
    too_many = [
        {"sku": sku, "requested": quantity, "open": is_open.get(sku, 0)}
        for sku, quantity in wanted.items()
        if quantity > is_open.get(sku, 0)
    ]
    if too_many:
        detail = f"{len(too_many)} of the lines ask for more units than the order has open."
        raise ExceedsOpenQuantityError(detail, lines=too_many)
    return {sku: wanted[sku] for sku in is_open if sku in wanted}


def _fulfillment(order: PlacedOrder, fulfillment_id: str) -> PlacedFulfillment:
    for one in order.fulfillments:
        if one.id == fulfillment_id:
            return one
    raise FulfillmentNotFoundError(f"Order {order.id} has no fulfillment {fulfillment_id}.")


async def cancel_fulfillment(
    session: AsyncSession, order_id: str, fulfillment_id: str, caller: Caller
) -> tuple[PlacedOrder, PlacedFulfillment]:
    """Ask for a fulfillment to stay, and publish FulfillmentCancelRequested.

    Returns the order and the fulfillment, which is `cancelling` until inventory has answered:
    `cancelled`, or `issued` when it had left. One that was asked to stay before is returned as it
    is. Raises FulfillmentIssuedError, FulfillmentNotFoundError, OrderNotFoundError or
    PreconditionFailedError.
    """
    found, order = await begin(session, order_id, None, caller)
    fulfillment = _fulfillment(order, fulfillment_id)
    if fulfillment.status is FulfillmentStatus.ISSUED:
        raise FulfillmentIssuedError(f"Fulfillment {fulfillment_id} has left the house.")
    if fulfillment.status is not FulfillmentStatus.REQUESTED:
        return order, fulfillment
    await session.execute(
        update(fulfillments)
        .where(fulfillments.c.id == fulfillment_id)
        .values(status=FulfillmentStatus.CANCELLING, updated_at=now())
    )
    step = Step(
        order_id=order_id,
        action=Action.CANCEL_FULFILLMENT,
        actor=caller.actor,
        detail={"fulfillment_id": fulfillment_id},
    )
    await move(session, found, [step])
    await publish(
        session, FulfillmentCancelRequested(order_id=order_id, fulfillment_id=fulfillment_id)
    )
    order = await get_order(session, order_id)
    return order, _fulfillment(order, fulfillment_id)
