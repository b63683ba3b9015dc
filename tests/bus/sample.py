"""Events, subscribers and waits that the bus's tests share."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox, outbox
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.event import Event
from app.bus.relay import Relay, RelayPolicy
from app.bus.retry import RetryPolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, Supervisor
from app.bus.tables import delivery as delivery_table, inbox as inbox_table, outbox as outbox_table
from app.bus.wakeup import WakeUp
from app.db import Database


class Rang(Event):
    """A bell rang."""

    type = "bells.bell_rang.v1"
    subject_field = "bell"

    bell: str
    volume: int = 1


class Heard(Event):
    """Somebody heard a bell."""

    type = "ears.bell_heard.v1"
    subject_field = "bell"

    bell: str


SOON = RetryPolicy(first_s=0.01)
QUICK = ConsumerPolicy(batch=50, block_s=0.2, claim_idle_s=0.2, reclaim_every_s=0.05)


class Effects:
    """Writes one row per call, so that what committed can be counted, whoever asked for it.

    The rows are inbox rows of a subscriber that does not exist: a table every database has.
    """

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, event: Event, session: AsyncSession) -> None:
        """Record the effect of event in its transaction."""
        self.calls += 1
        await session.execute(inbox_table.insert().values(subscriber="effects", event_id=event.id))


def listening(effects: Effects, name: str = "ears") -> Subscriber:
    """Return a subscriber that records each `Rang` once; a second effect would break the key."""
    subscriber = Subscriber(name)
    subscriber.on(Rang)(effects)
    return subscriber


async def ring(database: Database, *events: Event) -> None:
    """Commit events to the outbox."""
    async with database.write() as session:
        await outbox.publish(session, *events)


async def subscribed(database: Database, *subscribers: Subscriber) -> None:
    """Register subscribers, as a worker does when it starts."""
    async with database.write() as session:
        await inbox.subscribe(session, subscribers)


async def relay_all(database: Database, stream: Stream) -> None:
    """Publish whatever waits."""
    relay = Relay(database, stream, WakeUp())
    while await relay.publish_page():
        pass


async def handled_count(database: Database, subscriber: str) -> int:
    """Return how many inbox rows a subscriber has."""
    async with database.read() as session:
        query = select(func.count()).where(inbox_table.c.subscriber == subscriber)
        return await session.scalar(query) or 0


async def delivery_rows(database: Database, subscriber: str = "ears") -> list[Row[Any]]:
    """Return the delivery rows of a subscriber."""
    async with database.read() as session:
        query = delivery_table.select().where(delivery_table.c.subscriber == subscriber)
        return list(await session.execute(query))


async def unpublished_count(database: Database) -> int:
    """Return how many events wait for the relay."""
    async with database.read() as session:
        query = select(func.count()).where(outbox_table.c.published_at.is_(None))
        return await session.scalar(query) or 0


async def until(condition: Callable[[], Awaitable[bool]], *, timeout_s: float = 60) -> None:
    """Wait for a condition, asking again and again; raises TimeoutError."""
    with anyio.fail_after(timeout_s):
        while not await condition():
            await anyio.sleep(0.01)


async def until_handled(database: Database, subscriber: str, count: int) -> None:
    """Wait until subscriber has handled count events."""

    async def enough() -> bool:
        return await handled_count(database, subscriber) >= count

    await until(enough)


@asynccontextmanager
async def running(*loops: Loop) -> AsyncIterator[Supervisor]:
    """Run loops for the length of the block; a loop that dies fails the test."""
    supervisor = Supervisor(loops, lambda: None)
    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run)
        yield supervisor
        supervisor.stop()
        with anyio.fail_after(10):
            await supervisor.ended()
    if supervisor.failure is not None:
        raise supervisor.failure


def loops(
    database: Database,
    stream: Stream,
    subscribers: Sequence[Subscriber],
    *,
    consumer: str = "c1",
    policy: ConsumerPolicy = QUICK,
) -> list[Loop]:
    """Return a relay and a consumer per subscriber, woken by commits here."""
    wake_up = WakeUp()
    database.on_publish = wake_up.committed
    relay = Relay(database, stream, wake_up, RelayPolicy(page=100, idle_poll_s=0.1))
    consumers = [Consumer(database, stream, each, consumer, policy) for each in subscribers]
    due = [DueDeliveries(database, each, policy=DuePolicy(poll_s=0.02)) for each in subscribers]
    return [relay, *consumers, *due]
