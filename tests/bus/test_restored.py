"""Backups: a database or a stream that is set back to an older day is healed by the other."""

import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis.asyncio as redis
from anyio.to_thread import run_sync
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app import db
from app.bus import outbox
from app.bus.embedded import embedded_engine
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import outbox as outbox_table
from app.bus.trim import Room, Trim
from app.db import Database
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    loops,
    relay_all,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)
from tests.conftest import PostgresFixture
from tests.least_privilege import admin_url, application


@dataclass
class Backups:
    """A database that can be copied while nobody uses it, and opened as it is or was."""

    now: str
    open: Callable[[str], Database]
    copy: Callable[[], str]


@pytest.fixture(params=["sqlite", "pg18"])
def backups(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backups]:
    """Make a migrated, empty database and the way to copy it."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        now, then = tmp_path / "now.db", tmp_path / "then.db"
        shutil.copy(template, now)
        yield Backups(
            str(now), lambda path: db.sqlite(Path(path)), lambda: str(shutil.copy(now, then))
        )
        return
    postgres: PostgresFixture = request.getfixturevalue("postgres")
    with postgres(request.param) as url:
        server = postgres._server(request.param)
        copies: list[str] = []

        def copy() -> str:
            copies.append(application(server.create_database(url)))
            return copies[-1]

        yield Backups(url, db.postgresql, copy)
        for name in copies:
            server.drop_database(name)


@asynccontextmanager
async def opened(backups: Backups, url: str) -> AsyncIterator[Database]:
    """Use a database, and leave it so that it can be copied."""
    database = await run_sync(backups.open, url)
    try:
        yield database
    finally:
        await database.close()


def bells(number: int) -> list[Rang]:
    return [Rang(bell="a") for _ in range(number)]


async def work(database: Database, stream: Stream, ears: Subscriber, handled: int) -> None:
    """Run every loop a worker has until so much is handled and nothing is left on the stream."""
    recheck = ReconcilePolicy(after_s=0, every_s=0.05)

    async def at_rest() -> bool:
        [group] = await stream._redis.xinfo_groups(stream.key("bells"))
        return not group["pending"] and not group["lag"] and not await delivery_rows(database)

    async with running(
        *loops(database, stream, [ears]),
        Reconcile(database, stream, recheck),
        Trim(database, stream, Room()),
    ):
        await until_handled(database, ears.name, handled)
        await until(at_rest)


async def last_place(database: Database) -> tuple[int, int]:
    """Return the last position in the outbox, and the last place in the log."""
    async with database.read() as session:
        last = await session.scalar(select(func.max(outbox_table.c.position)))
        return last or 0, await outbox.head(session)


@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_database_older_than_its_stream_runs_what_it_owes_and_nothing_else(
    backups: Backups, stream: Stream, *, trimmed: bool
) -> None:
    ears = listening(Effects())
    async with opened(backups, backups.now) as database:
        await subscribed(database, ears)
        async with database.read() as session:
            owner = await outbox.database_id(session)
        await stream.own(owner)
        await ring(database, *bells(5))
        await work(database, stream, ears, 5)
        await ring(database, *bells(5))
        await relay_all(database, stream)
        await ring(database, *bells(5))
    backup = await run_sync(backups.copy)
    async with opened(backups, backups.now) as database:
        await ring(database, *bells(5))
        if trimmed:
            await work(database, stream, ears, 20)
        else:
            async with running(*loops(database, stream, [ears])):
                await until_handled(database, "ears", 20)
        await ring(database, *bells(5))
        await relay_all(database, stream)
        async with stream.reader(["bells"], "ears", "gone", block_s=0.1) as reader:
            assert len(await reader.fresh(9)) == 5
        await ring(database, *bells(5))
        await relay_all(database, stream)
        lost_place = await last_place(database)

    effects = Effects()
    ears = listening(effects)
    async with opened(backups, backup) as database:
        async with database.read() as session:
            assert await stream.own(await outbox.database_id(session)) == owner
        await subscribed(database, ears)
        await ring(database, *bells(12))
        with capture_logs() as logs:
            await work(database, stream, ears, 27)

        assert effects.calls == 22
        assert await handled_count(database, "effects") == await handled_count(database, "ears")
        position, place = await last_place(database)
        assert position < lost_place[0]
        assert place == 27 < lost_place[1]
        strange = [line["count"] for line in logs if "never wrote" in line["event"]]
        assert sum(strange) == 10


async def test_a_stream_older_than_its_database_is_made_good(
    backups: Backups, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    engine = redis.Redis.from_url(admin_url(stream))
    async with opened(backups, backups.now) as database:
        await subscribed(database, ears)
        await ring(database, *bells(5))
        await work(database, stream, ears, 5)
        await ring(database, *bells(5))
        await relay_all(database, stream)
        backup = await engine.dump(stream.key("bells"))
        assert backup is not None
        await ring(database, *bells(5))
        await work(database, stream, ears, 15)
        await ring(database, *bells(5))
        await relay_all(database, stream)
        await engine.restore(stream.key("bells"), 0, backup, replace=True)
        await ring(database, *bells(5))

        await work(database, stream, ears, 25)

        assert effects.calls == await handled_count(database, "effects") == 25
    await engine.aclose()


@pytest.mark.parametrize("kept", [1.0, 0.4], ids=["kill-9", "power-cut"])
async def test_an_engine_that_dies_with_its_log_open_costs_no_event(
    sqlite_template: Path, tmp_path: Path, kept: float
) -> None:
    effects = Effects()
    ears = listening(effects)
    copied = Path(shutil.copy(sqlite_template, tmp_path / "orderly.db"))
    database = await run_sync(db.sqlite, copied)
    directory = tmp_path / "stream"
    async with embedded_engine(directory) as engine:
        stream = Stream(engine.url)
        await subscribed(database, ears)
        await ring(database, *bells(5))
        await work(database, stream, ears, 5)
        [aof] = directory.glob("appendonlydir/*.incr.aof")
        synced = aof.stat().st_size
        await ring(database, *bells(20))
        await relay_all(database, stream)
        before = await stream._redis.xlen(stream.key("bells"))
        os.kill(json.loads((directory / "engine.json").read_text())["pid"], signal.SIGKILL)
        await stream.close()
    # Killed, the engine leaves with the system what it wrote; only a power cut takes it from there.
    os.truncate(aof, synced + int(kept * (aof.stat().st_size - synced)))

    async with embedded_engine(directory) as engine:
        stream = Stream(engine.url)
        after = await stream._redis.xlen(stream.key("bells"))
        await work(database, stream, ears, 25)
        await stream.close()
    await database.close()

    assert (after == before) is (kept == 1)
    assert effects.calls == 25
