"""What can happen to PostgreSQL: crashes, lost sessions, foreign locks, no connections, no disk."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import anyio
import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tests.faults.load import SCARCE, SKUS
from tests.faults.menu import Faults
from tests.postgres import PostgresServer, PostgresUnavailableError

# What the server answers when another fault is at work on it.
_AWAY = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

_SMALL_DISK_MIB = 512
_HOG = "hog"


class Postgres:
    """A database on a server, and its faults; disk, if given, is where its tables are."""

    def __init__(self, server: PostgresServer, url: str, disk: Path | None = None) -> None:
        self._server = server
        self._url = url
        self._disk = disk
        self._one = anyio.Lock()
        self._cut_off = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - our own names
            f" WHERE datname = '{make_url(url).database}'"
            f" AND application_name <> '{_HOG}' AND pid <> pg_backend_pid()"
        )

    def faults(self) -> Faults:
        """Return the faults, by name."""
        faults: Faults = {
            "postgres immediate restart": self._restart,
            "postgres sessions terminated": self._terminate,
            "postgres out of connections 2-4 s": self._hog,
            "postgres outbox locked 2-4 s": self._lock_outbox,
            "postgres hot row locked 2-4 s": self._lock_stock,
        }
        return faults if self._disk is None else faults | {"postgres disk full 2-4 s": self._fill}

    async def _restart(self, random: Random) -> None:
        async with self._one:
            await anyio.to_thread.run_sync(self._server.halt)
            await anyio.sleep(random.uniform(0, 1))
            await anyio.to_thread.run_sync(self._server.launch)

    async def _terminate(self, random: Random) -> None:
        del random
        async with self._one:
            with suppress(PostgresUnavailableError):
                await anyio.to_thread.run_sync(self._server.execute, "postgres", self._cut_off)

    async def _hog(self, random: Random) -> None:
        """Take every connection there is, those of the application's that break included."""
        named = {"server_settings": {"application_name": _HOG}}
        engine = create_async_engine(self._url, poolclass=NullPool, connect_args=named)
        until = anyio.current_time() + random.uniform(2, 4)
        held: list[AsyncConnection] = []
        cut_off = False
        try:
            while anyio.current_time() < until:
                try:
                    held.append(await engine.connect())
                except _AWAY:
                    if held and not cut_off:
                        with suppress(*_AWAY):
                            await held[0].execute(text(self._cut_off))
                    cut_off = True
                    await anyio.sleep(0.05)
        finally:
            for connection in held:
                with suppress(*_AWAY):
                    await connection.invalidate()
                    await connection.close()

    async def _lock_outbox(self, random: Random) -> None:
        await self._lock("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE", random)

    async def _lock_stock(self, random: Random) -> None:
        sku = random.choice((*SCARCE, SKUS[-1]))
        levels = f"SELECT 1 FROM stock_levels WHERE sku = '{sku}' ORDER BY location FOR UPDATE"  # noqa: S608
        await self._lock(levels, random)

    async def _lock(self, statement: str, random: Random) -> None:
        """Hold a lock, once it is granted; give up rather than keep others waiting in the queue."""
        engine = create_async_engine(self._url, poolclass=NullPool)
        with suppress(*_AWAY):
            async with engine.begin() as connection:
                await connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                await connection.execute(text(statement))
                await anyio.sleep(random.uniform(2, 4))

    async def _fill(self, random: Random) -> None:
        assert self._disk is not None
        filler = self._disk / "filler"
        async with self._one:
            await anyio.to_thread.run_sync(_fill, filler)
            try:
                await anyio.sleep(random.uniform(2, 4))
            finally:
                filler.unlink()


def _fill(filler: Path) -> None:
    """Take what is left of the disk."""
    with filler.open("wb") as file, suppress(OSError):
        state = os.statvfs(filler.parent)
        most = max(0, state.f_bavail * state.f_frsize - 2**20)
        os.posix_fallocate(file.fileno(), 0, max(1, most))
        file.seek(0, os.SEEK_END)
        while True:
            os.write(file.fileno(), bytes(4096))


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Mount a small disk that is memory; None where that is not allowed."""
    place = Path(tempfile.mkdtemp(prefix="orderly-disk-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_MIB}m", "tmpfs", str(place)]
    allowed = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
    try:
        yield place if allowed else None
    finally:
        if allowed:
            subprocess.run(["umount", "-l", str(place)], check=False)
        place.rmdir()


def move_tables(server: PostgresServer, url: str, disk: Path) -> None:
    """Move every table and index of a database to a disk; the log of its commits stays."""
    place, name = disk / "tables", make_url(url).database
    place.mkdir()
    place.chmod(0o700)
    disk.chmod(0o755)
    shutil.chown(place, "nobody")  # the server's user where we are root, as who mounts must be
    server.execute("postgres", f"CREATE TABLESPACE small LOCATION '{place}'")
    for kind in ("TABLE", "INDEX"):
        server.execute(url, f"ALTER {kind} ALL IN TABLESPACE pg_default SET TABLESPACE small")
    server.execute("postgres", f'ALTER DATABASE "{name}" SET default_tablespace = small')
