"""Deliveries the database owes: retries, parked types, losses, redrive, replay and fill.

One row per (subscriber, event) that the stream no longer carries. A row is `due` until its
effects commit, which removes it; `dead` when it was given up, `discarded` when it was waived.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Float, Integer, String, Uuid, case, exists, literal, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Context, Event
from app.bus.outbox import publish
from app.bus.sql import code, later, now, rows, upsert
from app.bus.tables import delivery, inbox, outbox, subscription

# Longer errors are cut: the row is for finding the bug, the log has the whole traceback.
_LONGEST_ERROR = 8000

UNFINISHED_LIMIT = 3
"""So many attempts that never came back with a verdict make a dead letter."""

PARKED_S = 900.0
"""Seconds an event waits for a build that knows its type."""


class State(StrEnum):
    """Where a delivery row stands."""

    DUE = "due"
    DEAD = "dead"
    DISCARDED = "discarded"


class Reason(StrEnum):
    """Why the database owes the delivery."""

    FAILED = "failed"
    PARKED = "parked"
    LOST = "lost"
    REDRIVE = "redrive"
    REPLAY = "replay"
    FILL = "fill"


class DeadLettered(Event):
    """A subscriber gave an event up; somebody should look."""

    type: ClassVar[str] = "dead_letters.event_dead_lettered.v1"
    subject_field: ClassVar[str] = "dead_event_id"

    dead_event_id: str
    dead_event_type: str
    subscriber: str
    attempts: int
    error_type: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a delivery that failed: tried again in delay_s, or given up."""

    event_id: UUID
    event_type: str
    work: Context
    state: State
    reason: Reason = Reason.FAILED
    attempts: int
    delay_s: float = 0.0
    error_type: str
    error: str


async def record(session: AsyncSession, subscriber: str, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts, and publish the dead letters among them: two statements at most.

    The caller holds the inbox keys of these events in this transaction, and gives them back.
    """
    if not verdicts:
        return
    given = rows(
        session,
        event_id=(Uuid(), [verdict.event_id for verdict in verdicts]),
        state=(String(), [verdict.state for verdict in verdicts]),
        reason=(String(), [verdict.reason for verdict in verdicts]),
        attempts=(Integer(), [verdict.attempts for verdict in verdicts]),
        delay_s=(Float(), [verdict.delay_s for verdict in verdicts]),
        error_type=(String(), [verdict.error_type[:200] for verdict in verdicts]),
        error=(String(), [_storable(verdict.error) for verdict in verdicts]),
    )
    next_attempt_at = case((given.c.state == State.DUE, later(given.c.delay_s)), else_=null())
    insert = upsert(session, delivery).from_select(
        ["subscriber", "unfinished", "next_attempt_at", *_VERDICT_COLUMNS],
        select(
            literal(subscriber, code(80)),
            literal(0, Integer()),
            next_attempt_at,
            *(given.c[name] for name in _VERDICT_COLUMNS),
        ).where(given.c.event_id.is_not(None)),  # without a WHERE, SQLite takes ON for a join's
    )
    excluded = {name: insert.excluded[name] for name in _OVERWRITTEN}
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=["subscriber", "event_id"], set_={**excluded, "updated_at": now()}
        )
    )
    await publish(session, *_dead_letters(subscriber, verdicts))


_VERDICT_COLUMNS = ("event_id", "state", "reason", "attempts", "error_type", "error")
# Why the row is there, what an operator changed in it and when it began stay as they were.
_OVERWRITTEN = ("state", "attempts", "unfinished", "next_attempt_at", "error_type", "error")


def _storable(error: str) -> str:
    return error.replace("\x00", "\\x00").encode(errors="replace").decode()[:_LONGEST_ERROR]


def _dead_letters(subscriber: str, verdicts: Sequence[Verdict]) -> list[Event]:
    """Return the events that tell of dead letters; of a dead letter of those, none."""
    return [
        DeadLettered(
            dead_event_id=str(verdict.event_id),
            dead_event_type=verdict.event_type,
            subscriber=subscriber,
            attempts=verdict.attempts,
            error_type=verdict.error_type,
            error=_storable(verdict.error)[:500],
        ).within(verdict.work)
        for verdict in verdicts
        if verdict.state is State.DEAD and verdict.event_type != DeadLettered.type
    ]


async def park(session: AsyncSession, subscriber: str, event_ids: Collection[UUID]) -> None:
    """Make events due that a build with a handler for their type must run."""
    await _make_due(session, subscriber, event_ids, Reason.PARKED, unfinished=0)


async def isolate(session: AsyncSession, subscriber: str, event_ids: Collection[UUID]) -> None:
    """Make events due that the stream delivered again and again without a verdict.

    The row says so before the next run, which is theirs alone: what kills the process would
    otherwise kill it for ever.
    """
    unfinished = UNFINISHED_LIMIT - 1
    await _make_due(session, subscriber, event_ids, Reason.FAILED, unfinished=unfinished)


async def _make_due(
    session: AsyncSession,
    subscriber: str,
    event_ids: Collection[UUID],
    reason: Reason,
    *,
    unfinished: int,
) -> None:
    """Insert due rows for events we owe that have none and were not handled.

    One that is being handled meanwhile is sorted out when its row is run.
    """
    given = rows(session, event_id=(Uuid(), sorted(event_ids)))
    await session.execute(
        upsert(session, delivery)
        .from_select(
            [*_DUE_COLUMNS, "next_attempt_at"],
            select(
                literal(subscriber, code(80)),
                outbox.c.event_id,
                literal(State.DUE, String()),
                literal(reason, String()),
                literal(unfinished, Integer()),
                literal(unfinished, Integer()),
                now(),
            )
            .join(given, given.c.event_id == outbox.c.event_id)
            .join(subscription, subscription.c.event_type == outbox.c.type)
            .where(
                subscription.c.subscriber == subscriber,
                or_(
                    outbox.c.log_position.is_(None),
                    outbox.c.log_position > subscription.c.since_log_position,
                ),
                ~exists().where(
                    inbox.c.subscriber == subscriber, inbox.c.event_id == outbox.c.event_id
                ),
            ),
        )
        .on_conflict_do_nothing()
    )


_DUE_COLUMNS = ("subscriber", "event_id", "state", "reason", "attempts", "unfinished")


async def held_back(
    session: AsyncSession, subscriber: str, event_ids: Collection[UUID]
) -> set[UUID]:
    """Return which of these events have a row, and so are not the stream's to deliver."""
    given = rows(session, event_id=(Uuid(), list(event_ids)))
    # Not a join: SQLite would go through every row of the subscriber, once per event.
    found = await session.scalars(
        select(delivery.c.event_id).where(
            delivery.c.subscriber == subscriber, delivery.c.event_id.in_(select(given.c.event_id))
        )
    )
    return set(found)
