"""Engines and sessions: PostgreSQL, or SQLite with one writer at a time."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import URL, MetaData, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.bus import transaction
from app.bus.outbox import PUBLISHED, READ_ONLY
from app.bus.sql import NAMING_CONVENTION
from app.bus.stalled import APPLICATION_NAME
from app.bus.timeouts import Timeouts
from app.errors import StartupError
from app.group_commit import Group, Item, Outcome, Work
from app.sqlite import OURS, ended, prepare

_writing: ContextVar[bool] = ContextVar("orderly_writing", default=False)


class Base(DeclarativeBase):
    """The modules' tables; the bus keeps its own MetaData."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class NestedWriteError(RuntimeError):
    """A write session was opened inside another one, where on SQLite it would wait for itself."""


class Database:
    """Write and read sessions over one database.

    Made by `postgresql` or `sqlite`; `close` it. `on_publish` is called after each commit that
    recorded events. `is_behind` tells whether this process's own loops are: then what requests
    write `together` gives way.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, timeouts: Timeouts | None = None
    ) -> None:
        self._timeouts = timeouts
        self.writer = writer
        self.reader = reader
        self.single_writer = writer.dialect.name == "sqlite"
        self.on_publish: Callable[[], None] = lambda: None
        self.is_behind: Callable[[], bool] = lambda: False
        self._turn = anyio.Lock()
        self._groups: dict[Work[Any, Any], Group[Any, Any]] = {}

    def write(
        self, *, lock_s: float | None = None, first: str = ""
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction: commits when the block ends, rolls back when it raises.

        lock_s is how long it waits for others' locks, where that is not as long as any may. first
        is said along with PostgreSQL's BEGIN, at no cost of its own; nobody reads its rows.

        Raises NestedWriteError inside another one, on both databases: what nests would deadlock
        on the one and silently be two transactions on the other.
        """
        return self._write(self._begin(lock_s, first))

    async def together(self, work: Work[Item, Outcome], item: Item, *, weight: int = 1) -> Outcome:
        """Have work write item in one transaction with what other requests ask of it now.

        work is a function of a module, not of a request: whoever names the same one is together.
        Returns after the commit what work returned for item; raises as `Group.submit` does, and
        NestedWriteError in a write session, whose commit it would wait for.
        """
        _refuse_nested()
        group = self._groups.get(work)
        if group is None:
            group = self._groups[work] = Group(self, work)
        outcome: Outcome = await group.submit(item, weight)
        return outcome

    @property
    def waiting_together(self) -> int:
        """How many items requests asked for together that wait for their transaction."""
        return sum(group.waiting for group in self._groups.values())

    @asynccontextmanager
    async def _write(self, begin: str) -> AsyncIterator[AsyncSession]:
        _refuse_nested()
        token = _writing.set(True)
        try:
            if self.single_writer:
                async with self._turn, self._begun(self.writer, begin, commits=True) as session:
                    yield session
            else:
                async with self._begun(self.writer, begin, commits=True) as session:
                    yield session
        finally:
            _writing.reset(token)
        if session.info.get(PUBLISHED):
            self.on_publish()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for reading: one snapshot on SQLite, statement by statement elsewhere."""
        async with self._begun(self.reader, "BEGIN") as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """Open a read-only session in which every statement sees the same moment."""
        begin = "BEGIN"
        if not self.single_writer:
            begin += " ISOLATION LEVEL REPEATABLE READ READ ONLY"
        async with self._begun(self.reader, begin) as session:
            yield session

    @asynccontextmanager
    async def _begun(
        self, engine: AsyncEngine, begin: str, *, commits: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """Open a session whose transaction is begun by this text."""
        session = await transaction.begin(engine, begin)
        if not commits:
            session.info[READ_ONLY] = True
        is_over = False
        try:
            yield session
            if commits:
                # Cut short, a commit may or may not have happened; so it is never cut short.
                with anyio.CancelScope(shield=True):
                    await transaction.commit(session)
            else:
                await transaction.leave(session)
            is_over = True
        finally:
            if not is_over:
                await transaction.roll_back(session)

    def _begin(self, lock_s: float | None, first: str) -> str:
        """Return the text that begins a write: one message, PostgreSQL's limits included.

        They are of this transaction only, so that a pooler between us and the server hands nobody
        our settings.
        """
        limits = _limits(self._timeouts)
        if lock_s is not None:
            limits["lock_timeout"] = lock_s
        if self.single_writer:
            return "BEGIN IMMEDIATE"
        settings = (f"SET LOCAL {name} = {round(s * 1000)}" for name, s in limits.items())
        return "; ".join(filter(None, ("BEGIN", *settings, first)))

    async def close(self) -> None:
        """Close every connection, once what requests asked for together is written."""
        for group in self._groups.values():
            await group.drain()
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()
        if self.single_writer:
            await ended()


def _refuse_nested() -> None:
    if _writing.get():
        msg = "a write session is already open here: pass it on instead of opening another"
        raise NestedWriteError(msg)


def _limits(timeouts: Timeouts | None) -> dict[str, float]:
    """Return PostgreSQL's names for what binds a transaction, in seconds."""
    if timeouts is None:
        return {}
    return {
        "lock_timeout": timeouts.lock_s,
        "statement_timeout": timeouts.statement_s,
        "idle_in_transaction_session_timeout": timeouts.idle_in_transaction_s,
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
        # Who comes back last goes out first: a few connections do all the work, and the server
        # has their statements planned and their tables at hand.
        pool_use_lifo=True,
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
    named = {"server_settings": {"application_name": APPLICATION_NAME}}
    return target, arguments | named | {"timeout": 10}


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


def sqlite(path: Path) -> Database:
    """Return a Database on one SQLite file, which this process must own. Does no I/O."""
    url = URL.create("sqlite+aiosqlite", database=str(path))
    writer = create_async_engine(url, pool_size=1, max_overflow=0, **OURS)
    reader = create_async_engine(url, pool_size=4, max_overflow=0, **OURS)
    prepare(writer, "BEGIN IMMEDIATE", {"synchronous": "FULL"})
    prepare(reader, "BEGIN", {"query_only": "ON"})
    return Database(writer, reader)


def sqlite_reader(path: Path) -> Database:
    """Return a Database that only reads a SQLite file another process owns."""
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, pool_size=1, max_overflow=0, **OURS)
    prepare(engine, "BEGIN", {"query_only": "ON"})
    return Database(engine, engine)
