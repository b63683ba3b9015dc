"""The long forms of the tests that need no processes.

`python3 dev.py faults --crash-points`, `--histories N --seed S` and `--lives N --seed S`.
"""

import logging
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import structlog

from app import schema
from app.main import create_app
from app.settings import Settings
from tests import least_privilege
from tests.domain import lives as domain
from tests.domain.world import World as LivingWorld
from tests.faults.crash_commands import dying_at, dying_everywhere
from tests.faults.crash_points import Ground, on_postgresql, on_sqlite, singles_and_pairs
from tests.faults.protocol import histories as protocol
from tests.faults.protocol.world import World
from tests.least_privilege import application
from tests.postgres import PostgresServer
from tests.valkey import ValkeyServer

_DATABASES = 4


async def crash_points(tell: Callable[[str], object]) -> bool:
    """Crash at every point and at every pair, on both databases; tell, and return if all held.

    Of a shop's commands at every point only.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    valkey = ValkeyServer(persistent=False)
    await anyio.to_thread.run_sync(valkey.start)
    held = True
    try:
        for name, on in (("SQLite", _sqlite), ("PostgreSQL 18", _postgresql)):
            async with on() as ground:
                for flushed in (False, True):
                    began = time.monotonic()
                    found = await singles_and_pairs(ground, valkey.url, flushed=flushed)
                    single = sum(len(at) == 1 for at in found.points)
                    pairs = len(found.points) - single
                    tell(
                        f"{name}, stream {'lost' if flushed else 'kept'}: {single} points, "
                        f"{pairs} pairs, {len(found.broken)} not survived, "
                        f"{time.monotonic() - began:.0f} s"
                    )
                    for at, broken in found.broken.items():
                        tell(f"    crashes at {at}: {broken}")
                    held = held and not found.broken
                held = await _commands(tell, name, ground) and held
    finally:
        await anyio.to_thread.run_sync(valkey.stop)
    return held


async def _commands(tell: Callable[[str], object], name: str, ground: Ground) -> bool:
    """Let a shop's process die at every point of a day, one a day; and at all of them in one."""
    began = time.monotonic()
    app = create_app(Settings.model_validate({}))
    async with ground() as inner:
        deaths, wrong = await dying_everywhere(inner, app)
    broken = {"everywhere": wrong} if wrong else {}
    async with ground() as inner:
        points, _ = await dying_at(inner, app)
    for point in range(1, points + 1):
        async with ground() as inner:
            _, wrong = await dying_at(inner, app, point)
        if wrong:
            broken[f"at {point}"] = wrong
    tell(
        f"{name}, commands: {deaths} deaths in one day, {points} days with one, "
        f"{len(broken)} not survived, {time.monotonic() - began:.0f} s"
    )
    for where, wrong in broken.items():
        tell(f"    crashes {where}: {wrong}")
    return not broken


def histories(tell: Callable[[str], object], number: int, seed: int) -> bool:
    """Run so many histories of the delivery protocol; tell, and return whether all held."""
    valkey = ValkeyServer(persistent=False)
    valkey.start()
    try:

        def run(template: Path, folder: Path) -> None:
            protocol.run(lambda: World(template, folder, valkey.url), number, seed=seed)

        return _all_held(tell, run, f"seed {seed}: {number} histories of {protocol.STEPS} steps")
    finally:
        valkey.stop()


def lives(tell: Callable[[str], object], number: int, seed: int) -> bool:
    """Run so many lives of orders and stock; tell, and return whether all held."""

    def run(template: Path, folder: Path) -> None:
        domain.run(lambda: LivingWorld(template, folder), number, seed=seed)

    return _all_held(tell, run, f"seed {seed}: {number} lives of {domain.STEPS} steps")


def _all_held(tell: Callable[[str], object], run: Callable[[Path, Path], None], what: str) -> bool:
    """Run with a template of a database and a folder; tell how that went."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="orderly-long-") as directory:
            folder = Path(directory)
            run(anyio.run(sqlite_template, folder), folder)
    except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
        tell(traceback.format_exc())
        return False
    finally:
        tell(f"{what}, {time.monotonic() - began:.0f} s")
    return True


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="orderly-crashes-") as directory:
        folder = Path(directory)
        yield on_sqlite(await sqlite_template(folder), folder)


async def sqlite_template(folder: Path) -> Path:
    """Make a migrated, empty database file in a folder of its own."""
    data = folder / "template"
    data.mkdir()
    await schema.migrate(Settings.model_validate({"data": data}))
    return data / "orderly.db"


@asynccontextmanager
async def _postgresql() -> AsyncIterator[Ground]:
    postgres = PostgresServer(18)
    async with AsyncExitStack() as stack:
        await anyio.to_thread.run_sync(postgres.start)
        stack.push_async_callback(anyio.to_thread.run_sync, postgres.stop)
        urls = [await anyio.to_thread.run_sync(postgres.create_database) for _ in range(_DATABASES)]
        for url in urls:
            await anyio.to_thread.run_sync(least_privilege.migrate, postgres, url)
        yield await stack.enter_async_context(on_postgresql(*map(application, urls)))
