"""SQLite as we need it: connections that begin, end and give up when they are told to."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakSet

import aiosqlite
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class _Releasing(sqlite3.Connection):
    """A connection whose transaction ends when its COMMIT fails, and when it is closed.

    SQLite leaves one open that could not commit, and its next user would find himself in it.
    When closed it waits, with the lock of the one writer, for every statement that a cursor still
    has; and the traceback of whatever was cut short can have cursors until it is collected.
    """

    def commit(self) -> None:
        """Commit, or roll back."""
        try:
            super().commit()
        except sqlite3.Error:
            self.rollback()
            raise

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
        self._begin: str | None = None
        # As SQLAlchemy does for the driver's own: a process does not wait for it.
        self._thread.daemon = True

    @property
    def is_begun(self) -> bool:
        """Whether a transaction is under way, or begins with the next statement."""
        if self._connection is None:
            return False
        return self._begin is not None or self._connection.in_transaction

    def begin(self, statement: str) -> None:
        """Begin a transaction in the turn of its first statement: one of its own costs as much.

        One that is under way already goes on.
        """
        if not self.is_begun:
            self._begin = statement

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's
        """Have the thread run fn, in the transaction that was asked for."""
        begin, self._begin = self._begin, None
        if begin is not None:
            if fn in {self._conn.commit, self._conn.rollback}:
                return None  # nothing was done in it
            fn = partial(_begun, self._conn, begin, fn)
        return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]  # the driver's own, untyped

    async def execute_each(
        self, statements: Sequence[str], parameters: Sequence[Sequence[Any]]
    ) -> list[Any]:
        """Execute statements, one after the other, in one turn; return the rows of the first."""

        def execute() -> list[Any]:
            found: list[Any] | None = None
            for statement, given in zip(statements, parameters, strict=True):
                cursor = self._conn.execute(statement, given)
                found = cursor.fetchall() if found is None else found
                cursor.close()
            return found or []

        rows: list[Any] = await self._execute(execute)
        return rows

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
            if self._stopped is not None:
                _ending.add(self._stopped)
        return self._stopped


_ending: WeakSet[asyncio.Future[Any]] = WeakSet()


async def ended() -> None:
    """Wait until connections are closed that were in a statement when its task was cancelled.

    Nobody waits for them, and their threads answer the event loop, which must not be gone by then.
    """
    # What was cancelled just now has them closed in its next turn.
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    if ours := [each for each in _ending if each.get_loop() is loop]:
        await asyncio.wait(ours)


def _begun(
    connection: sqlite3.Connection,
    begin: str,
    function: Callable[..., Any],
    *given: Any,  # noqa: ANN401 - the driver's
    **named: Any,  # noqa: ANN401 - the driver's
) -> Any:  # noqa: ANN401 - the driver's
    connection.execute(begin)
    return function(*given, **named)


def _connect(path: str, **options: Any) -> _Interruptible:  # noqa: ANN401 - what sqlite3 takes
    connector = partial(sqlite3.connect, path, factory=_Releasing, **options)
    return _Interruptible(connector, 64)


OURS: Mapping[str, Any] = {
    "connect_args": {"async_creator_fn": _connect},
    # A connection comes back with its transaction over; to roll back once more is one trip more.
    "pool_reset_on_return": None,
}
"""What makes an engine use these connections: `create_async_engine(…, **OURS)`."""


def prepare(engine: AsyncEngine, begin: str, pragmas: Mapping[str, str]) -> None:
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
        connection.connection.driver_connection.begin(begin)
