"""The one place where an order's status changes: a compare-and-set on it, under its row's lock."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Executable,
    FromClause,
    Integer,
    Select,
    String,
    Uuid,
    case,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus.event import Event
from app.bus.prepared import Write, prepared, write
from app.bus.sql import later, now
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


class Step(NamedTuple):
    """Something that happens to an order: because of an event, or because an actor wants it.

    Neither, when its time had come. With hold_s the order is held for as many seconds from now.
    """

    order_id: str
    action: Action
    cause: Event | None = None
    actor: str | None = None
    detail: Mapping[str, object] = MappingProxyType({})
    hold_s: int | None = None
    cancel_reason: str | None = None


class Entry(NamedTuple):
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
    found = await _lock.run(session, {"order_id": sorted(set(order_ids))})
    return _by_id(found)


@prepared(order_id=String())
def _lock(session: AsyncSession, asked: FromClause) -> Executable:
    del session
    return (
        standings()
        .join(asked, orders.c.id == asked.c.order_id)
        .order_by(orders.c.id)
        .with_for_update(of=orders)
    )


async def locked(session: AsyncSession, query: Select[Any]) -> dict[str, Standing]:
    """Run a query of `standings` that locks, and return the orders by id."""
    return _by_id((await session.execute(query)).all())


def _by_id(found: Iterable[Any]) -> dict[str, Standing]:
    return {
        id_: Standing(id_, customer_id, OrderStatus(status), version, ConfirmMode(confirm), *times)
        for id_, customer_id, status, version, confirm, *times in found
    }


async def move(
    session: AsyncSession, found: Mapping[str, Standing], steps: Sequence[Step]
) -> list[Step]:
    """Take the steps that the table of transitions allows, and return them.

    Steps of one order are taken in the order they come. One that is not allowed where the order
    stands, or about an order that was not found, changes nothing and is left out: whoever must
    refuse instead asks before. Each step taken makes the order's version one larger and leaves a
    row in its timeline. One trip to the database, however many steps there are; none when nothing
    is taken, and one more when orders are held or cancelled.
    """
    taken, writes = await moved(session, found, steps)
    await write(session, *writes)
    return taken


async def moved(
    session: AsyncSession, found: Mapping[str, Standing], steps: Sequence[Step]
) -> tuple[list[Step], list[Write]]:
    """Do as `move` does, and return beside the steps what is left to be written."""
    taken = []
    for step in steps:
        standing = found.get(step.order_id)
        if standing is not None and standing.status in TRANSITIONS[step.action].froms:
            taken.append(_take(standing, step))
    if not taken:
        return [], []
    writes = await _update(session, found, [one.step for one in taken])
    return [one.step for one in taken], [*writes, noted(session, taken)]


def _take(standing: Standing, step: Step) -> Entry:
    before = standing.status
    standing.status = TRANSITIONS[step.action].to or before
    standing.version += 1
    return Entry(step, before, standing.status, standing.version)


async def _update(
    session: AsyncSession, found: Mapping[str, Standing], steps: Sequence[Step]
) -> list[Write]:
    """Write the orders as they stand now, or return what does where nothing comes of it.

    Of one order's steps the last that says so counts.
    """
    changed = {step.order_id: found[step.order_id] for step in steps}
    columns: dict[str, Sequence[object]] = {
        "id": list(changed),
        "status": [standing.status.value for standing in changed.values()],
        "version": [standing.version for standing in changed.values()],
    }
    holds = {step.order_id: step.hold_s for step in steps if step.hold_s is not None}
    reasons = {step.order_id: step.cancel_reason for step in steps if step.cancel_reason}
    if not (holds or reasons or any(standing.expires_at for standing in changed.values())):
        return [_write_status.on(session, columns)]
    columns["hold_s"] = [holds.get(order_id) for order_id in changed]
    columns["reason"] = [reasons.get(order_id) for order_id in changed]
    for order_id, reserved_at, expires_at in await _write_all.run(session, columns):
        changed[order_id].reserved_at = reserved_at
        changed[order_id].expires_at = expires_at
    return []


@prepared(alike=["status", "version"], id=String(), status=String(), version=BigInteger())
def _write_status(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        update(orders)
        .where(orders.c.id == given.c.id)
        .values(status=given.c.status, version=given.c.version, updated_at=now())
    )


@prepared(
    alike=["status", "version", "hold_s", "reason"],
    id=String(),
    status=String(),
    version=BigInteger(),
    hold_s=Integer(),
    reason=String(),
)
def _write_all(session: AsyncSession, given: FromClause) -> Executable:
    """Write as well until when orders are held: as a step said, or as before, or no longer."""
    del session
    until = func.coalesce(later(given.c.hold_s), orders.c.expires_at)
    began = case((given.c.hold_s.is_not(None), now()))
    return (
        update(orders)
        .where(orders.c.id == given.c.id)
        .values(
            status=given.c.status,
            version=given.c.version,
            updated_at=now(),
            cancel_reason=func.coalesce(given.c.reason, orders.c.cancel_reason),
            reserved_at=func.coalesce(orders.c.reserved_at, began),
            expires_at=case((given.c.status == OrderStatus.RESERVED, until), else_=null()),
        )
        .returning(orders.c.id, orders.c.reserved_at, orders.c.expires_at)
    )


def noted(session: AsyncSession, entries: Sequence[Entry]) -> Write:
    """Return the statement that writes rows of timelines."""
    steps = [entry.step for entry in entries]
    columns: dict[str, Sequence[object]] = {
        "order_id": [step.order_id for step in steps],
        "version": [entry.version for entry in entries],
        "action": [step.action.value for step in steps],
        "from_status": [entry.from_status and entry.from_status.value for entry in entries],
        "to_status": [entry.to_status.value for entry in entries],
        "actor": [step.actor for step in steps],
        "event_id": [step.cause and step.cause.id for step in steps],
        "event_type": [step.cause and step.cause.type for step in steps],
        "detail": [json.dumps(dict(step.detail)) if step.detail else "{}" for step in steps],
    }
    return _note.on(session, columns)


_NOTED: dict[str, TypeEngine[Any]] = {
    "order_id": String(),
    "version": BigInteger(),
    "action": String(),
    "from_status": String(),
    "to_status": String(),
    "actor": String(),
    "event_id": Uuid(),
    "event_type": String(),
    "detail": String(),
}


@prepared(alike=[name for name in _NOTED if name != "order_id"], **_NOTED)
def _note(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(order_timeline).from_select(given.c.keys(), select(given))
