"""Dead letters as an operator looks at them: in pages, in groups, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Uuid, exists, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.delivery import State
from app.bus.errors import BusError
from app.bus.sql import at, code, rows
from app.bus.tables import delivery, outbox


class NoDeliveryError(BusError):
    """The subscriber has no delivery row for this event."""


class NotGivenUpError(BusError):
    """The delivery is neither dead nor discarded, so it is the workers' business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which delivery rows are meant; what is None or empty does not matter.

    since and until bound the time of the last change: from the one on, and before the other.
    """

    state: State = State.DEAD
    subscriber: str | None = None
    type: str | None = None
    error_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_ids: tuple[UUID, ...] = ()

    def conditions(self, session: AsyncSession) -> list[ColumnElement[bool]]:
        """Return what a row of the delivery table must meet."""
        # A discarded event can be pruned, and its row stays for a day: that one is past.
        kept = outbox.alias()
        event = exists().where(kept.c.event_id == delivery.c.event_id)
        if self.type is not None:
            event = event.where(kept.c.type == self.type)
        wanted: list[ColumnElement[bool]] = [delivery.c.state == self.state, event]
        if self.subscriber is not None:
            wanted.append(delivery.c.subscriber == self.subscriber)
        if self.error_type is not None:
            wanted.append(delivery.c.error_type == self.error_type)
        if self.since is not None:
            wanted.append(delivery.c.updated_at >= at(self.since))
        if self.until is not None:
            wanted.append(delivery.c.updated_at < at(self.until))
        if self.event_ids:
            given = rows(session, event_id=(Uuid(), self.event_ids))
            wanted.append(delivery.c.event_id.in_(select(given.c.event_id)))
        return wanted

    def described(self) -> dict[str, Any]:
        """Return what was asked for, as JSON."""
        asked = {name: getattr(self, name) for name in self.__slots__}
        return {name: _shown(value) for name, value in asked.items() if value not in {None, ()}}


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return [str(one) for one in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A delivery row beside its event; `envelope` is the operator's edit of it, if there is one.

    traceback is of the last attempt and has no variables; None when its handler raised nothing.
    """

    subscriber: str
    event_id: UUID
    type: str
    subject: str
    correlation_id: str
    state: State
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    error_type: str | None
    error: str | None
    traceback: str | None
    created_at: datetime
    updated_at: datetime
    action_id: UUID | None
    original: str
    envelope: str | None

    @property
    def current(self) -> str:
        """The envelope that a redrive would run."""
        return self.original if self.envelope is None else self.envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Delivery rows of one subscriber and type that failed in one way."""

    subscriber: str
    type: str
    error_type: str
    count: int
    first_at: datetime
    last_at: datetime


def letters() -> Select[Any]:
    """Select what makes a `Letter`."""
    return select(
        delivery.c.subscriber,
        delivery.c.event_id,
        outbox.c.type,
        outbox.c.subject,
        outbox.c.correlation_id,
        delivery.c.state,
        delivery.c.reason,
        delivery.c.attempts,
        delivery.c.next_attempt_at,
        delivery.c.error_type,
        delivery.c.error,
        delivery.c.created_at,
        delivery.c.updated_at,
        delivery.c.action_id,
        delivery.c.traceback,
        outbox.c.envelope.label("original"),
        delivery.c.envelope,
    ).join(outbox, outbox.c.event_id == delivery.c.event_id)


async def page_of_letters(
    session: AsyncSession, wanted: Filter, *, before: tuple[UUID, str] | None, limit: int
) -> list[Letter]:
    """Return up to limit rows, the newest event first, those after (event id, subscriber)."""
    return await _page(session, wanted.conditions(session), before, limit)


async def page_of_action(
    session: AsyncSession, action_id: UUID, *, before: tuple[UUID, str] | None, limit: int
) -> list[Letter]:
    """Return up to limit rows that an action changed last, whatever their state; as above."""
    return await _page(session, [delivery.c.action_id == action_id], before, limit)


async def _page(
    session: AsyncSession,
    conditions: Sequence[ColumnElement[bool]],
    before: tuple[UUID, str] | None,
    limit: int,
) -> list[Letter]:
    # The keys first: what is sorted and not shown need not be fetched.
    order = (delivery.c.event_id, delivery.c.subscriber)
    chosen = select(*order).where(*conditions).limit(limit)
    if before is not None:
        last = tuple_(literal(before[0], Uuid()), literal(before[1], code(80)))
        chosen = chosen.where(tuple_(*order) < last)
    page = chosen.order_by(*(column.desc() for column in order)).subquery()
    found = await session.execute(
        letters()
        .join(
            page,
            (page.c.event_id == delivery.c.event_id) & (page.c.subscriber == delivery.c.subscriber),
        )
        .order_by(*(column.desc() for column in order))
    )
    return [_letter(one) for one in found]


async def page_of_groups(
    session: AsyncSession, wanted: Filter, *, after: tuple[str, str, str] | None, limit: int
) -> list[Group]:
    """Return up to limit groups by subscriber, type and error, those after the given one."""
    error_type = func.coalesce(delivery.c.error_type, "")
    key = (delivery.c.subscriber, outbox.c.type, error_type)
    page = (
        select(*key, func.count(), func.min(delivery.c.created_at), func.max(delivery.c.updated_at))
        .join(outbox, outbox.c.event_id == delivery.c.event_id)
        .where(*wanted.conditions(session))
        .group_by(*key)
        .order_by(*key)
        .limit(limit)
    )
    if after is not None:
        page = page.where(tuple_(*key) > tuple_(*(literal(part, code(200)) for part in after)))
    return [
        Group(
            subscriber=row[0],
            type=row[1],
            error_type=row[2],
            count=row[3],
            first_at=row[4],
            last_at=row[5],
        )
        for row in await session.execute(page)
    ]


async def count(session: AsyncSession, wanted: Filter) -> int:
    """Return how many rows are meant."""
    query = select(func.count()).select_from(delivery).where(*wanted.conditions(session))
    return await session.scalar(query) or 0


async def letter(
    session: AsyncSession, subscriber: str, event_id: UUID, *, lock: bool = False
) -> Letter:
    """Return one row, locked until the end of the transaction if asked.

    Raises NoDeliveryError, which is also the answer once its effects are committed.
    """
    query = letters().where(delivery.c.subscriber == subscriber, delivery.c.event_id == event_id)
    row = (await session.execute(query.with_for_update(of=delivery) if lock else query)).first()
    if row is None:
        msg = f"{subscriber} has no dead letter {event_id}."
        raise NoDeliveryError(msg)
    return _letter(row)


async def given_up(session: AsyncSession, subscriber: str, event_id: UUID) -> Letter:
    """Return and lock one row that is dead or discarded.

    Raises NoDeliveryError and NotGivenUpError.
    """
    found = await letter(session, subscriber, event_id, lock=True)
    if found.state is State.DUE:
        msg = f"{event_id} is due for {subscriber}: a worker runs it when its time comes."
        raise NotGivenUpError(msg)
    return found


def _letter(row: Row[Any]) -> Letter:
    values = dict(row._mapping)  # noqa: SLF001 - the public way, whatever its name
    return Letter(**{**values, "state": State(row.state)})
