"""Deliveries one step at a time, without a stream: what a consumer and a due loop would do."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import delivery as owed
from app.bus.delivery import Reason, State
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.event import Envelope, Event
from app.bus.handling import Handling
from app.bus.source import Delivery, FromStream
from app.bus.sql import later
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery, outbox
from app.db import Database
from tests.bus.sample import delivery_rows, ring, subscribed


async def deliver(
    database: Database,
    subscriber: Subscriber,
    *events: Event,
    handling: Handling | None = None,
) -> None:
    """Do what a consumer does with a batch of events, which are committed already."""
    handling = handling or Handling(database, subscriber, Random(7))
    opened = [handling.open(Envelope.seal(event)) for event in events]
    source = FromStream(subscriber.name)
    if misfits := [one for one in opened if not isinstance(one, Delivery)]:
        await handling.write(misfits, source)
    await handling.run([one for one in opened if isinstance(one, Delivery)], source)


async def arrive(database: Database, subscriber: Subscriber, *events: Event) -> None:
    """Commit events for a subscriber, and deliver them to it as one batch."""
    await subscribed(database, subscriber)
    await ring(database, *events)
    await deliver(database, subscriber, *events)


async def owe(
    database: Database, subscriber: Subscriber, *events: Event, reason: Reason = Reason.LOST
) -> None:
    """Commit events for a subscriber and make them due for a reason."""
    await subscribed(database, subscriber)
    await ring(database, *events)
    async with database.write() as session:
        await owed.park(session, subscriber.name, [event.id for event in events])
        await session.execute(update(delivery).values(reason=reason))


def due(
    database: Database, subscriber: Subscriber, *, lease_s: float = 30.0, page: int = 200
) -> DueDeliveries:
    """Return the loop that runs what is due; step it with `run_page`."""
    return DueDeliveries(database, subscriber, policy=DuePolicy(lease_s=lease_s, page=page))


async def ripen(database: Database) -> None:
    """Let every wait be over."""
    async with database.write() as session:
        await session.execute(
            update(delivery).where(delivery.c.state == State.DUE).values(next_attempt_at=later(-1))
        )


async def run_due(database: Database, subscriber: Subscriber, *, rounds: int = 1) -> None:
    """Run everything due, so many times over, without waiting in between."""
    loop = due(database, subscriber)
    for _ in range(rounds):
        await ripen(database)
        while await loop.run_page():
            pass


async def only_row(database: Database, subscriber: str = "ears") -> Row[Any]:
    """Return the one delivery row there is."""
    [row] = await delivery_rows(database, subscriber)
    return row


async def published(database: Database, kind: type[Event]) -> list[Envelope]:
    """Return the events of a kind that were committed, in order."""
    async with database.read() as session:
        query = select(outbox.c.envelope).where(outbox.c.type == kind.type)
        found = await session.scalars(query.order_by(outbox.c.position))
        return [Envelope.model_validate_json(text) for text in found]


async def count_where(database: Database, *conditions: Any) -> int:  # noqa: ANN401 - SQLAlchemy's
    """Return how many delivery rows meet conditions, as the database sees it."""
    async with database.read() as session:
        return await session.scalar(select(func.count(delivery.c.event_id)).where(*conditions)) or 0


def passing_trouble() -> OperationalError:
    """Return what SQLite says when it is busy: an error of the database, not of the work."""
    return OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))


def ids(events: Iterable[Event]) -> set[UUID]:
    """Return the ids of events."""
    return {event.id for event in events}


class Between:
    """A database where something happens just before one of its transactions."""

    def __init__(
        self, database: Database, before: int, happens: Callable[[], Awaitable[None]]
    ) -> None:
        self.single_writer = database.single_writer
        self.read = database.read
        self._database = database
        self._left = before
        self._happens = happens

    def write(self, *, first: str = "") -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction of the database, after what happens before it."""
        return self._write(first)

    @asynccontextmanager
    async def _write(self, first: str) -> AsyncIterator[AsyncSession]:
        self._left -= 1
        if self._left == 0:
            await self._happens()
        async with self._database.write(first=first) as session:
            yield session
