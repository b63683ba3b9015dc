"""Engines and sessions: PostgreSQL, or SQLite with one writer at a time."""

import asyncio
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
from sqlalchemy import URL, MetaData, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.bus.outbox import PUBLISHED, READ_ONLY
from app.bus.sql import NAMING_CONVENTION
from app.bus.timeouts import Timeouts
from app.errors import StartupError

_writing: ContextVar[bool] = ContextVar("orderly_writing", default=False)


class Base(DeclarativeBase):
    """The modules' tables; the bus keeps its own MetaData."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class NestedWriteError(RuntimeError):
    """A write session was opened inside another one, where on SQLite it would wait for itself."""


class Database:
    """Write and read sessions over one database.

    Made by `postgresql` or `sqlite`; `close` it. `on_publish` is called after each commit that
    recorded events.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, timeouts: Timeouts | None = None
    ) -> None:
        self._timeouts = timeouts
        self.writer = writer
        self.reader = reader
        self.single_writer = writer.dialect.name == "sqlite"
        self.on_publish: Callable[[], None] = lambda: None
        self._turn = anyio.Lock()

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction: commits when the block ends, rolls back when it raises.

        Raises NestedWriteError inside another one, on both databases: what nests would deadlock
        on the one and silently be two transactions on the other.
        """
        return self._write()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncSession]:
        if _writing.get():
            msg = "a write session is already open here: pass it on instead of opening another"
            raise NestedWriteError(msg)
        token = _writing.set(True)
        try:
            if self.single_writer:
                async with self._turn, self._transaction() as session:
                    yield session
            else:
                async with self._transaction() as session:
                    yield session
        finally:
            _writing.reset(token)
        if session.info.get(PUBLISHED):
            self.on_publish()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.writer, expire_on_commit=False) as session:
            await session.begin()
            if self._timeouts is not None:
                await session.execute(_LOCAL_TIMEOUTS, _milliseconds(self._timeouts))
            yield session
            # Cut short, a commit may or may not have happened; so it is never cut short.
            with anyio.CancelScope(shield=True):
                await session.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for reading: one snapshot on SQLite, statement by statement elsewhere."""
        async with AsyncSession(
            self.reader, expire_on_commit=False, info={READ_ONLY: True}
        ) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """Open a read-only session in which every statement sees the same moment."""
        async with self.read() as session:
            if not self.single_writer:
                await session.connection(
                    execution_options={
                        "isolation_level": "REPEATABLE READ",
                        "postgresql_readonly": True,
                    }
                )
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


# For this transaction only, so that a pooler between us and the server hands nobody our settings.
_LOCAL_TIMEOUTS = text(
    "SELECT set_config('lock_timeout', :lock, true), "
    "set_config('statement_timeout', :statement, true), "
    "set_config('idle_in_transaction_session_timeout', :idle, true)"
)


def _milliseconds(timeouts: Timeouts) -> dict[str, str]:
    return {
        "lock": str(round(timeouts.lock_s * 1000)),
        "statement": str(round(timeouts.statement_s * 1000)),
        "idle": str(round(timeouts.idle_in_transaction_s * 1000)),
    }


def postgresql(url: str, *, pool: int = 10, timeouts: Timeouts | None = None) -> Database:
    """Return a Database on a PostgreSQL server. Does no I/O; raises StartupError on a bad URL.

    timeouts bind every write transaction; without them the server's own apply.
    """
    target, connect_args = normalise(url)
    if timeouts is not None:
        # A server that is gone without a word would otherwise be waited for without end.
        connect_args |= {"command_timeout": 2 * timeouts.statement_s}
    engine = create_async_engine(
        target,
        connect_args=connect_args,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
    )
    return Database(engine, engine, timeouts)


def normalise(url: str) -> tuple[URL, dict[str, Any]]:
    """Translate the URLs people have into what asyncpg takes: the URL and connect arguments.

    `postgres://` and `postgresql://` become `postgresql+asyncpg://`; `sslmode` and `sslrootcert`
    become asyncpg's `ssl`. Raises StartupError for anything that is not PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        msg = "DATABASE_URL is not a URL: wanted postgresql://user:password@host/name."
        raise StartupError(msg) from None
    if parsed.drivername not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        msg = (
            f"DATABASE_URL names {parsed.drivername}://, and Orderly speaks postgresql://; "
            "for SQLite leave DATABASE_URL and REDIS_URL unset."
        )
        raise StartupError(msg)
    query = dict(parsed.query)
    arguments = _ssl_arguments(query.pop("sslmode", None), query.pop("sslrootcert", None))
    target = parsed.set(drivername="postgresql+asyncpg", query=query)
    return target, arguments | {"timeout": 10}


def _ssl_arguments(mode: Any, root: Any) -> dict[str, Any]:  # noqa: ANN401 - a URL's query value
    if root is None:
        return {} if mode is None else {"ssl": str(mode)}
    try:
        context = ssl.create_default_context(cafile=str(root))
    except OSError as error:
        msg = f"DATABASE_URL's sslrootcert {root} cannot be read: {error}."
        raise StartupError(msg) from error
    context.check_hostname = mode == "verify-full"
    return {"ssl": context}


class _Releasing(sqlite3.Connection):
    """A connection whose transaction ends when it is closed.

    SQLite's own waits, with the lock of the one writer, for every statement that a cursor still
    has; and the traceback of whatever was cut short can have cursors until it is collected.
    """

    def close(self) -> None:
        """Roll back, and close."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


class _Interruptible(aiosqlite.Connection):
    """A connection that gives up what it is at when it is closed, and is closed once.

    When a task is cancelled in a statement, SQLAlchemy has another one close the connection, and
    stops it as well. The driver's own would first run the statement to its end, and then end one of
    its two stops only: the other task would stay for good, and with it the process.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection], rows: int) -> None:
        super().__init__(connector, rows)
        self._stopped: asyncio.Future[Any] | None = None
        # As SQLAlchemy does for the driver's own: a process does not wait for it.
        self._thread.daemon = True

    async def close(self) -> None:
        """Interrupt the statement it may be at, and close it."""
        stopped = self.stop()
        # Again and again, because a statement that has not begun yet is not interrupted.
        while stopped is not None and not stopped.done():
            await asyncio.wait([stopped], timeout=0.01)
            with suppress(ValueError, sqlite3.ProgrammingError):
                self._conn.interrupt()

    def stop(self) -> asyncio.Future[Any] | None:
        """Have its thread close it after the statement it may be at, and end."""
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped


def _connect(path: str, **options: Any) -> _Interruptible:  # noqa: ANN401 - what sqlite3 takes
    connector = partial(sqlite3.connect, path, factory=_Releasing, **options)
    return _Interruptible(connector, 64)


_OURS = {"async_creator_fn": _connect}


def sqlite(path: Path) -> Database:
    """Return a Database on one SQLite file, which this process must own. Does no I/O."""
    url = URL.create("sqlite+aiosqlite", database=str(path))
    writer = create_async_engine(url, pool_size=1, max_overflow=0, connect_args=_OURS)
    reader = create_async_engine(url, pool_size=4, max_overflow=0, connect_args=_OURS)
    _prepare(writer, "BEGIN IMMEDIATE", {"synchronous": "FULL"})
    _prepare(reader, "BEGIN", {"query_only": "ON"})
    return Database(writer, reader)


def sqlite_reader(path: Path) -> Database:
    """Return a Database that only reads a SQLite file another process owns."""
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, pool_size=1, max_overflow=0, connect_args=_OURS)
    _prepare(engine, "BEGIN", {"query_only": "ON"})
    return Database(engine, engine)


def _prepare(engine: AsyncEngine, begin: str, pragmas: Mapping[str, str]) -> None:
    """Make every connection of engine start its transactions itself, and with our pragmas.

    The driver's own transaction handling begins too late: two read-then-write transactions then
    lose updates without any error.
    """
    wanted = {"journal_mode": "WAL", "busy_timeout": "5000", "foreign_keys": "ON", **pragmas}

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: Any) -> None:  # noqa: ANN401, ARG001 - the hook's signature
        connection.isolation_level = None
        cursor = connection.cursor()
        for name, value in wanted.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:  # noqa: ANN401 - the hook's signature
        connection.exec_driver_sql(begin)
