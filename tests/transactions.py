"""Transactions at the same time, in the order a test wants, and what they cost."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import asyncpg
import pytest
from anyio.abc import TaskGroup
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.errors import AppError

Work: TypeAlias = Callable[[AsyncSession], Coroutine[Any, Any, object]]


async def at_once(database: Database, *works: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run works together, each on a connection that is already open; raises what they raise.

    Opening a connection takes longer than most of these works: without it they would queue up.
    """
    if not database.single_writer:
        async with AsyncExitStack() as pool:
            for _ in range(min(20, len(works))):
                await pool.enter_async_context(database.writer.connect())
    async with anyio.create_task_group() as storm:
        for work in works:
            storm.start_soon(work)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that the writer runs meanwhile, one entry per round trip."""
    statements: list[str] = []

    def before(connection: Connection, cursor: object, statement: str, *rest: object) -> None:  # noqa: ARG001 - the hook's signature
        statements.append(statement)

    event.listen(database.writer.sync_engine, "before_cursor_execute", before)
    try:
        yield statements
    finally:
        event.remove(database.writer.sync_engine, "before_cursor_execute", before)


@asynccontextmanager
async def trips(session: AsyncSession) -> AsyncIterator[list[str]]:
    """Collect what the session's own driver is sent meanwhile, one entry per round trip.

    On SQLite that is a turn of the connection's thread.
    """
    connection: Any = session.sync_session.connection().connection.driver_connection
    async with _sent(connection) as sent:
        yield sent


@asynccontextmanager
async def messages(database: Database) -> AsyncIterator[list[str]]:
    """Collect what a transaction at a time costs, its BEGIN and its end included, as `trips` do.

    They all have the connection that came back last.
    """
    async with database.write() as session:
        found: Any = session.sync_session.connection().connection.driver_connection
    async with _sent(found) as sent:
        yield sent


@asynccontextmanager
async def _sent(connection: Any) -> AsyncIterator[list[str]]:  # noqa: ANN401 - the driver's
    sent: list[str] = []
    if isinstance(connection, asyncpg.Connection):

        def note(record: Any) -> None:  # noqa: ANN401 - the driver's
            sent.append(record.query)

        connection.add_query_logger(note)
        try:
            yield sent
            # It is called in a turn of its own.
            await anyio.lowlevel.checkpoint()
        finally:
            connection.remove_query_logger(note)
        return
    original = connection._execute

    async def noted(function: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - the driver's
        sent.append(str(rest[:1]))
        return await original(function, *rest, **named)

    connection._execute = noted
    try:
        yield sent
    finally:
        del connection._execute


@asynccontextmanager
async def holding(database: Database, work: Work) -> AsyncIterator[TaskGroup]:
    """Do work in a transaction of another task, which commits when the block ends."""
    done, may_commit = anyio.Event(), anyio.Event()

    async def hold() -> None:
        async with database.write() as session:
            await work(session)
            done.set()
            await may_commit.wait()

    async with anyio.create_task_group() as others:
        others.start_soon(hold)
        await done.wait()
        try:
            yield others
        finally:
            may_commit.set()


async def commit(database: Database, work: Work) -> None:
    """Do work in a transaction of its own; a refusal of the work is an answer too."""
    try:
        async with database.write() as session:
            await work(session)
    except AppError:
        pass


async def blocked(database: Database, count: int = 1) -> None:
    """Wait until transactions wait for a lock; on SQLite the next one always waits its turn."""
    if database.single_writer:
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with anyio.fail_after(10):
        while True:
            async with database.read() as session:
                if (await session.scalar(waiting) or 0) >= count:
                    return
            await anyio.sleep(0.01)


async def check_lock_order(database: Database, lower: Work, both: Work, higher: Work) -> None:
    """Assert that both, which names the higher key first, still takes the lower one first.

    Waiting for the lower key it must not hold the higher one: somebody else can have that.
    """
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    async with holding(database, lower) as others:
        others.start_soon(commit, database, both)
        await blocked(database)
        with anyio.fail_after(5):
            await commit(database, higher)
