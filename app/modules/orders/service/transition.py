"""The one place where an order's status changes: a compare-and-set on it, under its row's lock."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    case,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.sql import later, now, rows
from app.modules.orders.models.life import TRANSITIONS, Action, ConfirmMode, OrderStatus
from app.modules.orders.models.tables import order_timeline, orders


@dataclass(slots=True)
class Standing:
    """Where an order stands, its row locked until the transaction ends.

    `at` is the database's clock as the row was read. Steps change status, version and expires_at.
    """

    id: str
    customer_id: str
    status: OrderStatus
    version: int
    confirm: ConfirmMode
    hold_s: int | None
    reserved_at: datetime | None
    expires_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happens to an order: because of an event, or because an actor wants it.

    Neither, when its time had come. With hold_s the order is held for as many seconds from now.
    """

    order_id: str
    action: Action
    cause: Event | None = None
    actor: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    hold_s: int | None = None
    cancel_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row for the timeline: a step, where it found the order, and the version it made."""

    step: Step
    from_status: OrderStatus | None
    to_status: OrderStatus
    version: int


def standings() -> Select[Any]:
    """Return the query of what a Standing holds, for `locked`."""
    return select(
        orders.c.id,
        orders.c.customer_id,
        orders.c.status,
        orders.c.version,
        orders.c.confirm,
        orders.c.hold_s,
        orders.c.reserved_at,
        orders.c.expires_at,
        now(),
    )


async def lock(session: AsyncSession, order_ids: Iterable[str]) -> dict[str, Standing]:
    """Lock these orders in the order of their ids, and return those that exist. One statement."""
    asked = rows(session, order_id=(String(), sorted(set(order_ids))))
    return await locked(
        session,
        standings()
        .join(asked, orders.c.id == asked.c.order_id)
        .order_by(orders.c.id)
        .with_for_update(of=orders),
    )


async def locked(session: AsyncSession, query: Select[Any]) -> dict[str, Standing]:
    """Run a query of `standings` that locks, and return the orders by id."""
    return {
        row[0]: Standing(
            row[0],
            row[1],
            OrderStatus(row[2]),
            row[3],
            ConfirmMode(row[4]),
            *row[5:],
        )
        for row in await session.execute(query)
    }


async def move(
    session: AsyncSession, found: Mapping[str, Standing], steps: Sequence[Step]
) -> list[Step]:
    """Take the steps that the table of transitions allows, and return them.

    Steps of one order are taken in the order they come. One that is not allowed where the order
    stands, or about an order that was not found, changes nothing and is left out: whoever must
    refuse instead asks before. Each step taken makes the order's version one larger and leaves a
    row in its timeline. Two statements, however many steps there are; none when nothing is taken.
    """
    taken = []
    for step in steps:
        standing = found.get(step.order_id)
        if standing is not None and standing.status in TRANSITIONS[step.action].froms:
            taken.append(_take(standing, step))
    if taken:
        await _update(session, found, [one.step for one in taken])
        await note(session, taken)
    return [one.step for one in taken]


def _take(standing: Standing, step: Step) -> Entry:
    before = standing.status
    standing.status = TRANSITIONS[step.action].to or before
    standing.version += 1
    return Entry(step, before, standing.status, standing.version)


async def _update(
    session: AsyncSession, found: Mapping[str, Standing], steps: Sequence[Step]
) -> None:
    """Write the orders as they stand now; of one order's steps the last that says so counts."""
    moved = {step.order_id: found[step.order_id] for step in steps}
    holds = {step.order_id: step.hold_s for step in steps if step.hold_s is not None}
    reasons = {step.order_id: step.cancel_reason for step in steps if step.cancel_reason}
    # Mostly nobody holds and nobody says why, and each column of every statement costs.
    given = rows(
        session,
        id=(String(), list(moved)),
        status=(String(), [standing.status for standing in moved.values()]),
        version=(BigInteger(), [standing.version for standing in moved.values()]),
        **({"hold_s": (Integer(), [holds.get(id_) for id_ in moved])} if holds else {}),
        **({"reason": (String(), [reasons.get(id_) for id_ in moved])} if reasons else {}),
    )
    change = (
        update(orders)
        .where(orders.c.id == given.c.id)
        .values(status=given.c.status, version=given.c.version, updated_at=now())
    )
    if reasons:
        change = change.values(cancel_reason=given.c.reason)
    if holds or any(standing.expires_at for standing in moved.values()):
        change = change.values(expires_at=_until(given, said=bool(holds)))
    if not holds:
        await session.execute(change)
        for standing in moved.values():
            if standing.status is not OrderStatus.RESERVED:
                standing.expires_at = None
        return
    began = case((given.c.hold_s.is_not(None), now()))
    held = await session.execute(
        change.values(reserved_at=func.coalesce(orders.c.reserved_at, began)).returning(
            orders.c.id, orders.c.reserved_at, orders.c.expires_at
        )
    )
    for order_id, reserved_at, expires_at in held:
        moved[order_id].reserved_at = reserved_at
        moved[order_id].expires_at = expires_at


def _until(given: FromClause, *, said: bool) -> ColumnElement[datetime | None]:
    """Return until when the orders are held: as a step said, or as before, or no longer."""
    until: ColumnElement[datetime | None] = orders.c.expires_at
    if said:
        until = func.coalesce(later(given.c.hold_s), until)
    return case((given.c.status == OrderStatus.RESERVED, until), else_=null())


async def note(session: AsyncSession, entries: Sequence[Entry]) -> None:
    """Write rows of timelines, in one statement."""
    await session.execute(
        insert(order_timeline),
        [
            {
                "order_id": entry.step.order_id,
                "version": entry.version,
                "action": entry.step.action.value,
                "from_status": entry.from_status and entry.from_status.value,
                "to_status": entry.to_status.value,
                "actor": entry.step.actor,
                "event_id": entry.step.cause and entry.step.cause.id,
                "event_type": entry.step.cause and entry.step.cause.type,
                "detail": json.dumps(dict(entry.step.detail)),
            }
            for entry in entries
        ],
    )
