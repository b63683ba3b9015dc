"""Concluding fulfillments: what inventory decided about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.sql import now, rows
from app.modules.orders.events import OrderFulfilled
from app.modules.orders.models.life import Action, FulfillmentStatus
from app.modules.orders.models.tables import fulfillment_lines, fulfillments, order_lines
from app.modules.orders.service.transition import Step, lock, move


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What inventory decided about a fulfillment: its units left, or they never will."""

    order_id: str
    fulfillment_id: str
    issued: bool
    cause: Event


@dataclass(slots=True)
class _Line:
    """The units of a line of an order."""

    quantity: int
    fulfilling: int
    fulfilled: int


_Lines = dict[str, dict[str, _Line]]
"""The lines of orders, by order and SKU."""


async def conclude(session: AsyncSession, conclusions: Sequence[Conclusion]) -> list[str]:
    """Note what became of fulfillments, and return the ids of those that were open.

    An order whose last unit was issued is fulfilled, and OrderFulfilled is published. A conclusion
    that is late, repeated or about a fulfillment nobody knows changes nothing, and of two about
    one the first counts. At most eight statements, however many conclusions there are.
    """
    found = await lock(session, (one.order_id for one in conclusions))
    units = await _open(session, conclusions)
    fresh: dict[str, Conclusion] = {}
    for one in conclusions:
        if one.order_id in found and one.fulfillment_id in units:
            fresh.setdefault(one.fulfillment_id, one)
    if not fresh:
        return []
    lines = await _lines(session, {one.order_id for one in fresh.values()})
    steps = []
    for one in fresh.values():
        steps.append(_conclude(one, lines[one.order_id], units[one.fulfillment_id]))
        if all(line.fulfilled == line.quantity for line in lines[one.order_id].values()):
            steps.append(Step(order_id=one.order_id, action=Action.COMPLETE, cause=one.cause))
    await _write(session, list(fresh.values()), lines)
    taken = await move(session, found, steps)
    events = [
        OrderFulfilled(order_id=step.order_id).caused_by(step.cause)
        for step in taken
        if step.action is Action.COMPLETE and step.cause is not None
    ]
    await publish(session, *events)
    return list(fresh)


async def _open(
    session: AsyncSession, conclusions: Sequence[Conclusion]
) -> dict[str, dict[str, int]]:
    """Return the units by SKU of those fulfillments that are open. Their orders are locked."""
    asked = rows(
        session,
        order_id=(String(), [one.order_id for one in conclusions]),
        fulfillment_id=(String(), [one.fulfillment_id for one in conclusions]),
    )
    found = await session.execute(
        select(
            fulfillments.c.id,
            fulfillments.c.status,
            fulfillment_lines.c.sku,
            fulfillment_lines.c.quantity,
        )
        .join(
            asked,
            (fulfillments.c.id == asked.c.fulfillment_id)
            & (fulfillments.c.order_id == asked.c.order_id),
        )
        .join(fulfillment_lines, fulfillment_lines.c.fulfillment_id == fulfillments.c.id)
    )
    units: dict[str, dict[str, int]] = {}
    for id_, status, sku, quantity in found:
        if status in (FulfillmentStatus.REQUESTED, FulfillmentStatus.CANCELLING):
            units.setdefault(id_, {})[sku] = quantity
    return units


async def _lines(session: AsyncSession, order_ids: Collection[str]) -> _Lines:
    asked = rows(session, order_id=(String(), sorted(order_ids)))
    found = await session.execute(
        select(
            order_lines.c.order_id,
            order_lines.c.sku,
            order_lines.c.quantity,
            order_lines.c.fulfilling,
            order_lines.c.fulfilled,
        ).join(asked, order_lines.c.order_id == asked.c.order_id)
    )
    lines: _Lines = {}
    for order_id, sku, *counts in found:
        lines.setdefault(order_id, {})[sku] = _Line(*counts)
    return lines


def _conclude(one: Conclusion, lines: Mapping[str, _Line], units: Mapping[str, int]) -> Step:
    """Count the units of a fulfillment as gone or as open again, and return what happened."""
    for sku, quantity in units.items():
        lines[sku].fulfilling -= quantity
        if one.issued:
            lines[sku].fulfilled += quantity
    return Step(
        order_id=one.order_id,
        action=Action.FULFILLMENT_ISSUED if one.issued else Action.FULFILLMENT_CANCELLED,
        cause=one.cause,
        detail={"fulfillment_id": one.fulfillment_id},
    )


async def _write(session: AsyncSession, fresh: Sequence[Conclusion], lines: _Lines) -> None:
    status = {True: FulfillmentStatus.ISSUED, False: FulfillmentStatus.CANCELLED}
    decided = rows(
        session,
        id=(String(), [one.fulfillment_id for one in fresh]),
        status=(String(), [status[one.issued] for one in fresh]),
    )
    await session.execute(
        update(fulfillments)
        .where(fulfillments.c.id == decided.c.id)
        .values(status=decided.c.status, updated_at=now())
    )
    counted = [
        (order_id, sku, line) for order_id, by_sku in lines.items() for sku, line in by_sku.items()
    ]
    given = rows(
        session,
        order_id=(String(), [order_id for order_id, _, _ in counted]),
        sku=(String(), [sku for _, sku, _ in counted]),
        fulfilling=(BigInteger(), [line.fulfilling for _, _, line in counted]),
        fulfilled=(BigInteger(), [line.fulfilled for _, _, line in counted]),
    )
    await session.execute(
        update(order_lines)
        .where(order_lines.c.order_id == given.c.order_id, order_lines.c.sku == given.c.sku)
        .values(fulfilling=given.c.fulfilling, fulfilled=given.c.fulfilled)
    )
