"""Deliveries the database owes: retries, parked types, losses, redrive, replay and fill.

One row per (subscriber, event) that the stream no longer carries. A row is `due` until its
effects commit, which removes it; `dead` when it was given up, `discarded` when it was waived.
"""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    FromClause,
    Integer,
    String,
    Uuid,
    bindparam,
    cast,
    exists,
    insert,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.prepared import Write, few, prepared
from app.bus.sql import code, dialect_of, now, rows, upsert
from app.bus.tables import delivery, inbox, outbox, subscription

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


def is_held_back(event_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Tell whether an event has a row of :the_subscriber, and so is not the stream's to deliver."""
    # Once per event, by the key. A join, or IN, goes through every row of the subscriber instead:
    # on SQLite once per event, and on PostgreSQL for as long as it thinks that they are few.
    row = select(delivery.c.event_id).where(
        delivery.c.subscriber == _SUBSCRIBER, delivery.c.event_id == event_id
    )
    return row.scalar_subquery().is_not(None)


def none_held_back(
    session: AsyncSession, subscriber: str, event_ids: Collection[UUID]
) -> Write | None:
    """Return a statement that fails (IntegrityError) where one of these events has a row by now.

    None on SQLite, where nobody can have written one.
    """
    if dialect_of(session).name != "postgresql":
        return None
    ids = {"event_id": list(event_ids)}
    return _none_held_back.on(session, ids, the_subscriber=subscriber, the_count=len(event_ids))


@prepared(event_id=Uuid())
def _none_held_back(session: AsyncSession, given: FromClause) -> Executable:
    asked = few(session, given)
    # A key without a subscriber is what no inbox takes.
    refused = select(cast(null(), code(80)), asked.c.event_id).where(is_held_back(asked.c.event_id))
    return insert(inbox).from_select(["subscriber", "event_id"], refused)
