"""Every crash point, by enumeration: lives that end between two durable steps, and what is left."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import anyio
from sqlalchemy import text
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession

from app import db
from app.bus import outbox, tables
from app.bus.consumer import Consumer
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.relay import Relay
from app.bus.retry import RetryPolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.sample import QUICK, Heard, Rang, ring, subscribed
from tests.faults.audit import audit, audited, create_audit
from tests.faults.checks import bus_broken
from tests.faults.crash import Crash, CrashingDatabase, CrashingStream, Trap
from tests.least_privilege import as_owner, as_superuser, lose, own_prefix

LIVES = 20

Ground: TypeAlias = Callable[[], AbstractAsyncContextManager[Database]]
"""Gives an empty database with an audit, as many at a time as somebody asks for."""

_EMPTIED = {*tables.metadata.tables, *db.Base.metadata.tables, audit.name}
# The ledger's guard against DELETE is a trigger.
_EMPTY = f"""
DO $$ BEGIN
    SET LOCAL session_replication_role = replica;
    {" ".join(f"DELETE FROM {name};" for name in sorted(_EMPTIED - {"log_head", "locations"}))}
    UPDATE log_head SET position = 0;
END $$
"""  # noqa: S608 - names from our own metadata


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


async def live(
    database: CrashingDatabase, inner: Database, stream: Stream, subscribers: list[Subscriber]
) -> None:
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
        if not await bus_broken(inner):
            return


async def survive(
    inner: Database, url: str, at: Sequence[int], *, flushed: bool
) -> tuple[int, list[str]]:
    """Live with crashes at these points; return the points of a life and what is broken then."""
    trap = Trap(*at)
    stream = CrashingStream(url, own_prefix(), trap)
    failing = {2}
    await subscribed(inner, *saga(failing))
    await ring(inner, *[Rang(bell="a", volume=volume) for volume in range(4)])
    try:
        for _ in range(len(at) + 1):
            database = CrashingDatabase(inner, trap)
            try:
                await live(database, inner, stream, saga(failing))
                break
            except Crash:
                if flushed:
                    await lose(stream, "bells", "ears")
            finally:
                database.forget()
        return trap.seen, await bus_broken(inner)
    finally:
        await lose(stream, "bells", "ears")
        await stream.close()


@dataclass(frozen=True, slots=True)
class Survived:
    """What schedules of crashes left: the points of each last life, and what was broken then."""

    points: dict[tuple[int, ...], int]
    broken: dict[tuple[int, ...], list[str]]


async def survived(
    ground: Ground,
    url: str,
    schedules: Iterable[tuple[int, ...]],
    *,
    flushed: bool,
    at_once: int = 8,
) -> Survived:
    """Live through schedules of crashes, so many at once."""
    found = Survived({}, {})
    limit = anyio.CapacityLimiter(at_once)

    async def check(at: tuple[int, ...]) -> None:
        async with limit, ground() as inner:
            found.points[at], broken = await survive(inner, url, at, flushed=flushed)
        if broken:
            found.broken[at] = broken

    async with anyio.create_task_group() as group:
        for at in schedules:
            group.start_soon(check, at)
    return found


async def count(ground: Ground, url: str) -> int:
    """Return how many points a life has that nothing happens to; raises when it ends badly."""
    undisturbed = await survived(ground, url, [()], flushed=False)
    if undisturbed.broken:
        raise AssertionError(undisturbed.broken)
    return undisturbed.points[()]


async def singles_and_pairs(ground: Ground, url: str, *, flushed: bool) -> Survived:
    """Crash at every point, and again at every point of the life that follows."""
    points = await count(ground, url)
    singles = await survived(
        ground, url, [(first,) for first in range(1, points + 1)], flushed=flushed
    )
    pairs = [
        (first, second)
        for (first,), left in singles.points.items()
        for second in range(1, left + 1)
    ]
    both = await survived(ground, url, pairs, flushed=flushed)
    return Survived(singles.points | both.points, singles.broken | both.broken)


def on_sqlite(template: Path, folder: Path) -> Ground:
    """Give databases on copies of a migrated file."""

    @asynccontextmanager
    async def ground() -> AsyncIterator[Database]:
        path = folder / f"{uuid4().hex}.db"
        inner = db.sqlite(Path(shutil.copy(template, path)))
        # No power is cut here, and waiting for the disk is most of what a schedule takes.
        listen(inner.writer.sync_engine, "connect", careless)
        try:
            await create_audit(inner)
            yield inner
        finally:
            await inner.close()
            remove(path)

    return ground


def remove(path: Path) -> None:
    """Remove a SQLite file and what lies beside it."""
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def careless(connection: Any, record: object) -> None:  # noqa: ANN401 - the hook's signature
    """Have a new connection of SQLite not wait for the disk."""
    del record
    connection.execute("PRAGMA synchronous=OFF")


@asynccontextmanager
async def on_postgresql(*urls: str) -> AsyncIterator[Ground]:
    """Give migrated databases in turn, each emptied before; they have no audit, then or after."""
    idle = list(urls)
    free = anyio.Semaphore(len(urls))
    async with AsyncExitStack() as stack:
        opened = {url: db.postgresql(url, pool=2) for url in urls}
        for inner in opened.values():
            stack.push_async_callback(inner.close)
            await create_audit(inner)
            stack.push_async_callback(_drop_audit, inner)
            async with as_superuser(inner) as connection:
                await connection.execute(text("SELECT pg_stat_reset()"))

        @asynccontextmanager
        async def ground() -> AsyncIterator[Database]:
            async with free:
                url = idle.pop()
                try:
                    async with as_superuser(opened[url]) as connection:
                        await connection.execute(text(_EMPTY))
                    yield opened[url]
                finally:
                    idle.append(url)

        yield ground


async def _drop_audit(inner: Database) -> None:
    async with as_owner(inner) as connection:
        await connection.run_sync(audit.drop)
