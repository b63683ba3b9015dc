"""Deliveries the database owes: retries, parked types, losses, redrive, replay and fill.

One row per (subscriber, event) that the stream no longer carries. A row is `due` until its
effects commit, which removes it; `dead` when it was given up, `discarded` when it was waived.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import (
    Executable,
    Float,
    FromClause,
    Integer,
    String,
    Uuid,
    bindparam,
    case,
    exists,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Envelope, Event, example
from app.bus.outbox import publish
from app.bus.sql import code, later, now, prepared, rows, upsert
from app.bus.tables import delivery, inbox, outbox, subscription

# Longer errors are cut: the row is for finding the bug, the log has the whole traceback.
_LONGEST_ERROR = 8000

UNFINISHED_LIMIT = 4
"""So many attempts that never came back with a verdict make a dead letter."""

PARKED_S = 900.0
"""Seconds an event waits for a build that knows its type."""


_SUBSCRIBER = bindparam("the_subscriber", type_=code(80))


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

    model_config = example(
        dead_event_id="0199c2d4-a8ef-7d19-a3c6-52e8f4b1076d",
        dead_event_type="orders.order_created.v1",
        subscriber="inventory",
        attempts=8,
        error_type="KeyError",
        error="'MUG'",
    )

    type: ClassVar[str] = "dead_letters.event_dead_lettered.v1"
    subject_field: ClassVar[str] = "dead_event_id"

    dead_event_id: str = Field(description="The event that was given up.")
    dead_event_type: str = Field(description="Its type.")
    subscriber: str = Field(description="Who gave it up.")
    attempts: int = Field(description="How often it was tried.")
    error_type: str = Field(description="The class of the last error.")
    error: str = Field(description="What that error said, shortened.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a delivery that failed: tried again in delay_s, or given up."""

    event_id: UUID
    event_type: str
    cause: Event | Envelope
    state: State
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
    verdicts = sorted(verdicts, key=lambda verdict: verdict.event_id)
    columns: dict[str, Sequence[object]] = {
        "event_id": [verdict.event_id for verdict in verdicts],
        "state": [verdict.state for verdict in verdicts],
        "attempts": [verdict.attempts for verdict in verdicts],
        "delay_s": [verdict.delay_s for verdict in verdicts],
        "error_type": [verdict.error_type[:200] for verdict in verdicts],
        "error": [_storable(verdict.error) for verdict in verdicts],
    }
    await _record.run(session, columns, the_subscriber=subscriber)
    await publish(session, *_dead_letters(subscriber, verdicts))


_VERDICT_COLUMNS = ("event_id", "state", "attempts", "error_type", "error")
# Why the row is there, what an operator changed in it and when it began stay as they were.
_OVERWRITTEN = ("state", "attempts", "unfinished", "next_attempt_at", "error_type", "error")


@prepared(
    event_id=Uuid(),
    state=String(),
    attempts=Integer(),
    delay_s=Float(),
    error_type=String(),
    error=String(),
)
def _record(session: AsyncSession, given: FromClause) -> Executable:
    next_attempt_at = case((given.c.state == State.DUE, later(given.c.delay_s)), else_=null())
    insert = upsert(session, delivery).from_select(
        ["subscriber", "reason", "unfinished", "next_attempt_at", *_VERDICT_COLUMNS],
        select(
            _SUBSCRIBER,
            literal(Reason.FAILED, String()),
            literal(0, Integer()),
            next_attempt_at,
            *(given.c[name] for name in _VERDICT_COLUMNS),
        ).where(given.c.event_id.is_not(None)),  # without a WHERE, SQLite takes ON for a join's
    )
    excluded = {name: insert.excluded[name] for name in _OVERWRITTEN}
    return insert.on_conflict_do_update(
        index_elements=["subscriber", "event_id"], set_={**excluded, "updated_at": now()}
    )


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
        ).within(verdict.cause.consequence())
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
    # Deliveries in company count as one attempt: all but one event of a batch are innocent.
    await _make_due(session, subscriber, event_ids, Reason.FAILED, unfinished=1)


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
    found = await _held_back.run(session, {"event_id": list(event_ids)}, the_subscriber=subscriber)
    return set(found.scalars().all())


@prepared(event_id=Uuid())
def _held_back(session: AsyncSession, given: FromClause) -> Executable:
    del session
    # Once per event, by the key. A join, or IN, goes through every row of the subscriber instead:
    # on SQLite once per event, and on PostgreSQL for as long as it thinks that they are few.
    row = select(delivery.c.event_id).where(
        delivery.c.subscriber == _SUBSCRIBER, delivery.c.event_id == given.c.event_id
    )
    return select(given.c.event_id).where(row.scalar_subquery().is_not(None))
