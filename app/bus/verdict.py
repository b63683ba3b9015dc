"""Verdicts: what became of deliveries that failed, written as rows and told as dead letters."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import (
    Boolean,
    Executable,
    Float,
    FromClause,
    Insert,
    Integer,
    String,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus.delivery import Reason, State
from app.bus.event import Envelope, Event, example
from app.bus.outbox import publish
from app.bus.prepared import prepared, write
from app.bus.sql import code, dialect_of, later, now, upsert
from app.bus.tables import delivery, failed_attempt, inbox

# Longer errors are cut: the row is for finding the bug, the log has the whole traceback.
_LONGEST_ERROR = 8000
_LONGEST_IN_HISTORY = 500

_SUBSCRIBER = bindparam("the_subscriber", type_=code(80))


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


class Verdict(NamedTuple):
    """What became of a delivery that failed: tried again in delay_s, or given up.

    took_ms is how long its handler ran, with whatever company it was given; None when none did.
    """

    event_id: UUID
    event_type: str
    cause: Event | Envelope
    state: State
    attempts: int
    error_type: str
    error: str
    delay_s: float = 0.0
    took_ms: float | None = None
    traceback: str | None = None


async def record(
    session: AsyncSession,
    subscriber: str,
    verdicts: Sequence[Verdict],
    keys: Collection[UUID] = (),
) -> None:
    """Write verdicts and the attempts they end, and publish the dead letters among them.

    The caller holds the inbox keys of these events in this transaction; those in keys it has
    inserted itself, and they are given back. One statement on PostgreSQL, one trip on SQLite, and
    one more for dead letters.
    """
    if not verdicts:
        return
    verdicts = sorted(verdicts, key=_by_event)
    columns = _columns(verdicts, keys)
    if dialect_of(session).name == "postgresql":
        await _record.run(session, columns, the_subscriber=subscriber)
    else:
        released = {"event_id": list(keys)}
        await write(
            session,
            *([_release.on(session, released, the_subscriber=subscriber)] if keys else ()),
            _upsert.on(session, columns, the_subscriber=subscriber),
            _note.on(session, columns, the_subscriber=subscriber),
        )
    await publish(session, *_dead_letters(subscriber, verdicts))


def _by_event(verdict: Verdict) -> int:
    # As ids themselves sort, but in a tenth of the time.
    return verdict.event_id.int


def _columns(verdicts: Sequence[Verdict], keys: Collection[UUID]) -> dict[str, Sequence[object]]:
    return {
        "event_id": [verdict.event_id for verdict in verdicts],
        "delay_s": [verdict.delay_s for verdict in verdicts],
        "state": [verdict.state for verdict in verdicts],
        "attempts": [verdict.attempts for verdict in verdicts],
        "error_type": [verdict.error_type[:200] for verdict in verdicts],
        "error": [_storable(verdict.error) for verdict in verdicts],
        "traceback": [verdict.traceback for verdict in verdicts],
        "took_ms": [verdict.took_ms for verdict in verdicts],
        "is_released": [verdict.event_id in keys for verdict in verdicts],
    }


def _storable(error: str) -> str:
    return error.replace("\x00", "\\x00").encode(errors="replace").decode()[:_LONGEST_ERROR]


# What tends to be one value for all: the returned failures of one batch differ in id and delay.
_ALIKE = ("state", "attempts", "error_type", "error")
_WHAT: dict[str, TypeEngine[Any]] = {
    "event_id": Uuid(),
    "state": String(),
    "attempts": Integer(),
    "error_type": String(),
    "error": String(),
}
_WHEN: dict[str, TypeEngine[Any]] = {"delay_s": Float(), "traceback": Text()}


@prepared(
    alike=[*_ALIKE, "traceback", "took_ms", "is_released"],
    **_WHAT,
    **_WHEN,
    took_ms=Float(),
    is_released=Boolean(),
)
def _record(session: AsyncSession, given: FromClause) -> Executable:
    """Build all in one, where a statement may change several tables."""
    each = select(given).cte("given")
    released = delete(inbox).where(
        inbox.c.subscriber == _SUBSCRIBER,
        inbox.c.event_id.in_(select(each.c.event_id).where(each.c.is_released)),
    )
    noted = _noted(each)
    return _upserted(session, each).add_cte(released.cte("released"), noted.cte("noted"))


@prepared(alike=[*_ALIKE, "traceback"], **_WHAT, **_WHEN)
def _upsert(session: AsyncSession, given: FromClause) -> Executable:
    return _upserted(session, given)


@prepared(alike=[*_ALIKE, "took_ms"], **_WHAT, took_ms=Float())
def _note(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return _noted(given)


@prepared(event_id=Uuid())
def _release(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return delete(inbox).where(
        inbox.c.subscriber == _SUBSCRIBER, inbox.c.event_id.in_(select(given.c.event_id))
    )


_COPIED = ("event_id", "state", "attempts", "error_type", "error", "traceback")
# Why the row is there, what an operator changed in it and when it began stay as they were.
_OVERWRITTEN = (
    *("state", "attempts", "unfinished", "next_attempt_at", "error_type", "error", "traceback"),
)


def _upserted(session: AsyncSession, given: FromClause) -> postgresql.Insert | sqlite.Insert:
    next_attempt_at = case((given.c.state == State.DUE, later(given.c.delay_s)), else_=null())
    insertion = upsert(session, delivery).from_select(
        ["subscriber", "reason", "unfinished", "next_attempt_at", *_COPIED],
        select(
            _SUBSCRIBER,
            literal(Reason.FAILED, String()),
            literal(0, Integer()),
            next_attempt_at,
            *(given.c[name] for name in _COPIED),
        ).where(given.c.event_id.is_not(None)),  # without a WHERE, SQLite takes ON for a join's
    )
    excluded = {name: insertion.excluded[name] for name in _OVERWRITTEN}
    return insertion.on_conflict_do_update(
        index_elements=["subscriber", "event_id"], set_={**excluded, "updated_at": now()}
    )


def _noted(given: FromClause) -> Insert:
    return insert(failed_attempt).from_select(
        ["subscriber", "event_id", "attempt", "becomes", "error_type", "error", "took_ms"],
        select(
            _SUBSCRIBER,
            given.c.event_id,
            given.c.attempts,
            given.c.state,
            given.c.error_type,
            func.substr(given.c.error, 1, _LONGEST_IN_HISTORY),
            given.c.took_ms,
        ),
    )


def _dead_letters(subscriber: str, verdicts: Sequence[Verdict]) -> list[Event]:
    """Return the events that tell of dead letters; of a dead letter of those, none."""
    return [
        DeadLettered(
            dead_event_id=str(verdict.event_id),
            dead_event_type=verdict.event_type,
            subscriber=subscriber,
            attempts=verdict.attempts,
            error_type=verdict.error_type,
            error=_storable(verdict.error)[:_LONGEST_IN_HISTORY],
        ).within(verdict.cause.consequence())
        for verdict in verdicts
        if verdict.state is State.DEAD and verdict.event_type != DeadLettered.type
    ]
