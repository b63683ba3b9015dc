"""A row per effect, without a key: what the inbox should prevent can happen here, and be seen.

A saga that is idempotent by itself hides a missing inbox; this table does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, Uuid
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.subscriber import Failed, Handler, Subscriber
from app.db import Database
from tests.least_privilege import as_owner

audit = Table(
    "effect_audit",
    MetaData(),
    Column("subscriber", String(80), nullable=False),
    Column("event_id", Uuid(), nullable=False),
)


async def create_audit(database: Database) -> None:
    """Create the table in a migrated database."""
    async with as_owner(database) as connection:
        await connection.run_sync(audit.create)


async def note(session: AsyncSession, subscriber: str, *events: Event) -> None:
    """Record, in the transaction of their effects, that a subscriber's handler ran these events."""
    rows = [{"subscriber": subscriber, "event_id": event.id} for event in events]
    if rows:
        await session.execute(audit.insert(), rows)


def audited(subscriber: Subscriber) -> None:
    """Make every handler of subscriber note what it ran, and did not return as failed."""
    # One for all types of a handler, as it was: a mixed batch is one call still.
    noting: dict[int, Handler] = {}
    for type_, (kind, handler) in subscriber.handlers.items():
        if id(handler) not in noting:
            noting[id(handler)] = replace(handler, function=_noting(subscriber, handler))
        subscriber._handlers[type_] = (kind, noting[id(handler)])


def _noting(subscriber: Subscriber, handler: Any) -> Any:  # noqa: ANN401 - as `Handler.function`
    async def single(event: Event, session: AsyncSession) -> None:
        await handler.function(event, session)
        await note(session, subscriber.name, event)

    async def batch(events: Sequence[Event], session: AsyncSession) -> Sequence[Failed[Event]]:
        failed: Sequence[Failed[Event]] = await handler.function(events, session) or ()
        kept = {failure.event.id for failure in failed}
        await note(session, subscriber.name, *(one for one in events if one.id not in kept))
        return failed

    return batch if handler.batch else single
