"""SQLite as we need it: connections that begin, end and give up when they are told to."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

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


OURS = {"async_creator_fn": _connect}
"""What makes an engine use these connections: `create_async_engine(…, connect_args=OURS)`."""


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
        connection.exec_driver_sql(begin)
