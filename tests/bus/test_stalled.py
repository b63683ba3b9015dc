"""A process that froze in the middle of a statement's making holds its locks no longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.bus import stalled
from app.db import Database
from tests.least_privilege import as_owner

pytestmark = [
    pytest.mark.every_postgres,
    pytest.mark.parametrize("closed_database", ["pg16", "pg18"], indirect=True),
]


@asynccontextmanager
async def connected(database: Database, name: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection of the driver's own, which the pool knows nothing of."""
    url = database.writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, server_settings={"application_name": name})
    try:
        yield connection
    finally:
        connection.terminate()


async def begun(connection: asyncpg.Connection, note: str) -> None:
    """Open a transaction with the limits ours have, and lock what somebody else wants."""
    await connection.execute("BEGIN")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 200")
    await connection.execute("SET LOCAL statement_timeout = 200")
    await connection.execute("INSERT INTO locked VALUES ($1)", note)


async def is_free(database: Database, note: str) -> bool:
    """Tell whether nobody holds the lock on a note."""
    try:
        async with database.write(lock_s=0.05) as session:
            await session.execute(text("INSERT INTO locked VALUES (:note)"), {"note": note})
            await session.rollback()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        return False
    return True


async def end(database: Database, after_s: float) -> int:
    async with database.write() as session:
        return await stalled.end(session, after_s=after_s)


async def test_only_what_stalled_is_ended(database: Database) -> None:
    async with as_owner(database) as connection:
        await connection.execute(text("CREATE TABLE locked (note VARCHAR(20) UNIQUE)"))
    async with (
        connected(database, stalled.APPLICATION_NAME) as frozen,
        connected(database, "somebody else") as stranger,
        connected(database, stalled.APPLICATION_NAME) as busy,
    ):
        await begun(frozen, "frozen")
        await begun(stranger, "stranger")
        # The driver sends a PREPARE without an end: the last of a process that freezes after it.
        await frozen.prepare("SELECT 1")
        await stranger.prepare("SELECT 1")
        sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(1.5)"))
        await anyio.sleep(0.5)

        # The database's own limits have passed, and have not seen it.
        assert not await is_free(database, "frozen")
        assert await end(database, after_s=60) == 0
        assert await end(database, after_s=0.2) == 1
        await anyio.sleep(0.1)
        assert await is_free(database, "frozen")
        assert not await is_free(database, "stranger")
        await sleeping
