"""Every crash point, by enumeration: each await between two durable steps, and pairs of them."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import anyio
import pytest
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession

from app import db
from app.bus import outbox
from app.bus.consumer import Consumer
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.relay import Relay
from app.bus.retry import RetryPolicy
from app.bus.stream import Entry, Stream
from app.bus.subscriber import Subscriber
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.sample import QUICK, Heard, Rang, ring, subscribed
from tests.faults.audit import audited, create_audit
from tests.faults.checks import bus_broken
from tests.valkey import ValkeyServer

LIVES = 20
PAIRS = 8


class Crash(BaseException):
    """The process is gone at this point; no handler of ours may catch it."""


class Trap:
    """Counts the points a life comes to, and ends it at those it is set for, one by one."""

    def __init__(self, *at: int) -> None:
        self.seen = 0
        self._at = list(at)

    def step(self) -> None:
        """Come to a point."""
        self.seen += 1
        if self._at and self.seen == self._at[0]:
            self._at.pop(0)
            self.seen = 0
            raise Crash


class CrashingDatabase:
    """A database whose process may die before and after each commit that changes something."""

    single_writer = True

    def __init__(self, inner: Database, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap
        self._changed = False
        listen(inner.writer.sync_engine, "after_cursor_execute", self._executed)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        self._changed = False
        async with self._inner.write() as session:
            yield session
            self._step()
        self._step()

    def _step(self) -> None:
        if self._changed:
            self._trap.step()

    def _executed(self, connection: object, cursor: Any, statement: str, *rest: object) -> None:  # noqa: ANN401 - the hook's signature
        del connection, rest
        self._changed |= not statement.startswith(("SELECT", "PRAGMA")) and cursor.rowcount != 0

    def read(self) -> Any:  # noqa: ANN401 - as the real one
        return self._inner.read()


class CrashingStream(Stream):
    """A stream whose caller may die before and after each change of it."""

    def __init__(self, url: str, prefix: str, trap: Trap) -> None:
        super().__init__(url, prefix=prefix)
        self._trap = trap

    async def append(self, events: Sequence[tuple[str, str]]) -> list[str]:
        self._trap.step()
        ids = await super().append(events)
        self._trap.step()
        return ids

    async def ensure_groups(self, contexts: Sequence[str], group: str) -> None:
        self._trap.step()
        await super().ensure_groups(contexts, group)

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        self._trap.step()
        await super().ack(group, entries)
        self._trap.step()


def saga(failing: set[int]) -> list[Subscriber]:
    """Return two subscribers, the one fed by the other; some events fail when first tried."""
    ears, echo = Subscriber("ears"), Subscriber("echo")

    @ears.on(Rang, retry=RetryPolicy(first_s=0.0))
    async def hear(event: Rang, session: AsyncSession) -> None:
        await outbox.publish(session, Heard(bell=event.bell))
        if event.volume in failing:
            failing.remove(event.volume)
            raise ValueError("once")

    @echo.on(Heard)
    async def answer(event: Heard, session: AsyncSession) -> None:
        del event, session

    audited(ears)
    audited(echo)
    return [ears, echo]


async def live(database: CrashingDatabase, stream: Stream, subscribers: list[Subscriber]) -> None:
    """Do what a process does, loop by loop, until nothing is left to do."""
    relay = Relay(database, stream, WakeUp())
    reconcile = Reconcile(database, stream, ReconcilePolicy(after_s=0.0))
    due = [DueDeliveries(database, each, policy=DuePolicy(lease_s=0.0)) for each in subscribers]
    consumers = [Consumer(database, stream, each, "c1", QUICK) for each in subscribers]
    for _ in range(LIVES):
        while await relay.publish_page():
            pass
        for subscriber, consumer in zip(subscribers, consumers, strict=True):
            await stream.ensure_groups(subscriber.contexts, subscriber.name)
            async with stream.reader(
                subscriber.contexts, subscriber.name, "c1", block_s=0.001
            ) as reader:
                while entries := await reader.own_pending(50, {}) or await reader.fresh(50):
                    await consumer._process(entries)
        await reconcile.run_round()
        for one in due:
            while await one.run_page():
                pass
        if not await bus_broken(database._inner):
            return


def _careless(connection: Any, record: object) -> None:  # noqa: ANN401 - the hook's signature
    del record
    connection.execute("PRAGMA synchronous=OFF")


async def survive(
    folder: Path, url: str, at: Sequence[int], *, flushed: bool
) -> tuple[int, list[str]]:
    """Live with crashes at these points; return the points of a life and what is broken then."""
    inner = db.sqlite(folder / f"{uuid4().hex}.db")
    shutil.copy(folder / "template.db", str(inner.writer.url.database))
    # No power is cut here, and waiting for the disk is most of what a schedule takes.
    listen(inner.writer.sync_engine, "connect", _careless)
    trap = Trap(*at)
    stream = CrashingStream(url, f"test-{uuid4().hex}", trap)
    await create_audit(inner)
    failing = {2}
    await subscribed(inner, *saga(failing))
    await ring(inner, *[Rang(bell="a", volume=volume) for volume in range(4)])
    try:
        for _ in range(len(at) + 1):
            try:
                await live(CrashingDatabase(inner, trap), stream, saga(failing))
                break
            except Crash:
                if flushed:
                    await stream._redis.delete(*map(stream.key, ("bells", "ears")))
        return trap.seen, await bus_broken(inner)
    finally:
        await stream.close()
        await inner.close()


@pytest.mark.parametrize("flushed", [False, True], ids=["stream kept", "stream lost"])
async def test_every_crash_point_is_survived(
    tmp_path: Path, sqlite_template: Path, valkey: ValkeyServer, *, flushed: bool
) -> None:
    shutil.copy(sqlite_template, tmp_path / "template.db")
    points, broken = await survive(tmp_path, valkey.url, [], flushed=flushed)
    assert broken == []
    assert points > 12

    random = Random(5)
    schedules = [[point] for point in range(1, points + 1)]
    schedules += [[random.randint(1, points), random.randint(1, points)] for _ in range(PAIRS)]
    not_survived: dict[str, list[str]] = {}
    at_once = anyio.CapacityLimiter(8)

    async def check(at: list[int]) -> None:
        async with at_once:
            _, broken = await survive(tmp_path, valkey.url, at, flushed=flushed)
        if broken:
            not_survived[f"crashes at {at} of {points} points"] = broken

    async with anyio.create_task_group() as group:
        for at in schedules:
            group.start_soon(check, at)
    assert not_survived == {}
