"""History again: replay for a subscriber that has handled it, fill for one that came later."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, String, Uuid, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import settled
from app.bus.action import Action, ActionKind, note
from app.bus.delivery import Reason, State
from app.bus.errors import BusError
from app.bus.event import new_id
from app.bus.sql import at, changed, code, now, upsert
from app.bus.tables import delivery, inbox, outbox, subscription


class NoSubscriberError(BusError):
    """No subscriber of this name has ever registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of history, from its first event on.

    Times are those of the commit, and until_time is the first moment that is not part of it;
    until_log_position is the last place that is.
    """

    from_time: datetime | None = None
    from_log_position: int | None = None
    until_time: datetime | None = None
    until_log_position: int | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row of the outbox must meet."""
        wanted: list[ColumnElement[bool]] = []
        if self.from_time is not None:
            wanted.append(outbox.c.created_at >= at(self.from_time))
        if self.from_log_position is not None:
            wanted.append(outbox.c.log_position >= self.from_log_position)
        if self.until_time is not None:
            wanted.append(outbox.c.created_at < at(self.until_time))
        if self.until_log_position is not None:
            wanted.append(outbox.c.log_position <= self.until_log_position)
        return wanted

    @property
    def described(self) -> dict[str, Any]:
        """What was asked for, as JSON."""
        bounds = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: bound.isoformat() if isinstance(bound, datetime) else bound
            for name, bound in bounds.items()
            if bound is not None
        }


async def replay(session: AsyncSession, subscriber: str, span: Span, *, who: str) -> Action:
    """Make due once more what the subscriber handled of that part of history.

    Each event's effects are committed once more. What it has not handled yet is on its way and
    what has a delivery row is owed already, so neither is replayed. Raises NoSubscriberError.
    """
    await settled.hold(session)
    types = await registered_types(session, subscriber)
    action_id = new_id()
    wanted = _replayed(subscriber, types, span)
    total = await _make_due(session, subscriber, Reason.REPLAY, *wanted, action_id=action_id)
    return await note(
        session,
        ActionKind.REPLAY,
        id_=action_id,
        who=who,
        subscriber=subscriber,
        detail=span.described,
        total=total,
    )


async def count_replay(session: AsyncSession, subscriber: str, span: Span) -> int:
    """Return how many events a replay would make due now; raises NoSubscriberError."""
    types = await registered_types(session, subscriber)
    return await _count(session, subscriber, _replayed(subscriber, types, span))


async def fill(session: AsyncSession, subscriber: str, *, who: str) -> Action:
    """Make due what was published of a subscriber's types before it came, as far as it is kept.

    From then on it is owed all of history, so that a second fill finds nothing left. Raises
    NoSubscriberError.
    """
    await settled.hold(session)
    types = await registered_types(session, subscriber, lock=True)
    action_id = new_id()
    wanted = _filled(subscriber, types)
    total = await _make_due(session, subscriber, Reason.FILL, *wanted, action_id=action_id)
    await session.execute(
        update(subscription)
        .where(subscription.c.subscriber == subscriber)
        .values(since_log_position=0)
    )
    return await note(
        session,
        ActionKind.FILL,
        id_=action_id,
        who=who,
        subscriber=subscriber,
        detail={"types": types},
        total=total,
    )


async def count_fill(session: AsyncSession, subscriber: str) -> int:
    """Return how many events a fill would make due now; raises NoSubscriberError."""
    types = await registered_types(session, subscriber)
    return await _count(session, subscriber, _filled(subscriber, types))


async def fill_new(
    session: AsyncSession, subscriber: str, types: Collection[str], head: int
) -> None:
    """Fill types just registered with all of history; what is past head comes by the stream."""
    await _make_due(
        session,
        subscriber,
        Reason.FILL,
        outbox.c.type.in_(sorted(types)),
        outbox.c.log_position <= head,
    )


async def registered_types(
    session: AsyncSession, subscriber: str, *, lock: bool = False
) -> list[str]:
    """Return a subscriber's types, locked if asked; raises NoSubscriberError when it has none."""
    query = (
        select(subscription.c.event_type)
        .where(subscription.c.subscriber == subscriber)
        .order_by(subscription.c.event_type)
    )
    types = list(await session.scalars(query.with_for_update() if lock else query))
    if not types:
        msg = f"No subscriber is called {subscriber}."
        raise NoSubscriberError(msg)
    return types


def _replayed(subscriber: str, types: Collection[str], span: Span) -> list[ColumnElement[bool]]:
    """Return what an event meets that a replay makes due."""
    return [
        outbox.c.type.in_(types),
        outbox.c.log_position.is_not(None),
        _handled(subscriber),
        *span.conditions,
    ]


def _filled(subscriber: str, types: Collection[str]) -> list[ColumnElement[bool]]:
    """Return what an event meets that a fill makes due."""
    before = select(subscription.c.event_type).where(
        subscription.c.subscriber == subscriber,
        subscription.c.event_type == outbox.c.type,
        outbox.c.log_position <= subscription.c.since_log_position,
    )
    return [outbox.c.type.in_(types), before.exists(), ~_handled(subscriber)]


def _handled(subscriber: str) -> ColumnElement[bool]:
    mine = (inbox.c.subscriber == subscriber) & (inbox.c.event_id == outbox.c.event_id)
    return select(inbox.c.event_id).where(mine).exists()


async def _count(
    session: AsyncSession, subscriber: str, wanted: Collection[ColumnElement[bool]]
) -> int:
    """Count the wanted events for which `_make_due` would insert a row."""
    mine = (delivery.c.subscriber == subscriber) & (delivery.c.event_id == outbox.c.event_id)
    owed = select(delivery.c.event_id).where(mine).exists()
    query = select(func.count()).select_from(outbox).where(*wanted, ~owed)
    return (await session.execute(query)).scalar_one()


async def _make_due(
    session: AsyncSession,
    subscriber: str,
    reason: Reason,
    *wanted: ColumnElement[bool],
    action_id: UUID | None = None,
) -> int:
    """Insert a due row for each wanted event that has none, and return how many.

    Until it has run, a row keeps the stream's copies of its event from running. The caller holds
    `settled.hold`: neither reconcile nor retention is at work on these events. Rows go in by their
    place in the log, which is about the order they are claimed in.
    """
    columns = {
        "subscriber": literal(subscriber, code(80)),
        "event_id": outbox.c.event_id,
        "state": literal(State.DUE, String()),
        "reason": literal(reason, String()),
        "attempts": literal(0, Integer()),
        "unfinished": literal(0, Integer()),
        "next_attempt_at": now(),
        "action_id": literal(action_id, Uuid()),
    }
    made = await session.execute(
        upsert(session, delivery)
        .from_select(
            list(columns),
            select(*columns.values()).where(*wanted).order_by(outbox.c.log_position),
        )
        .on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    return changed(made)
