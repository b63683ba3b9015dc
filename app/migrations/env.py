"""What alembic runs: it opens the database of the settings and brings it up, step by step.

Each migration is a transaction of its own, so a run that was broken off is taken up where it was.
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app import db
from app.bus import tables as bus_tables
from app.errors import StartupError
from app.migrations.online import LOCK_TIMEOUT_S, lock_timeout
from app.modules.inventory.models import tables as inventory_models
from app.modules.orders.models import tables as orders_models
from app.runtime import database_file, open_database
from app.schema import LOCK_WAIT_S
from app.settings import Settings, load_settings
from app.web import claims, keys, sessions

# Imported for the tables they declare.
DECLARED = (inventory_models, orders_models, claims, keys, sessions)
TARGETS = [bus_tables.metadata, db.Base.metadata]

# Two runs at once must not both create the tables; any number no other lock has would do.
_MIGRATION_LOCK = 0x0EDE_0002
_ASK_AGAIN_S = 0.25

# Between two tries for a lock, those who waited behind the first one pass.
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 10.0

_SESSION = (
    lock_timeout(LOCK_TIMEOUT_S),
    # What is set for the application's statements is too short for an index of a large table.
    "SET statement_timeout = 0",
    # A run that is frozen must not keep its locks.
    "SET idle_in_transaction_session_timeout = '60s'",
)
# A run that was killed in a long statement must not keep its locks either. Not every system knows.
_NOTICE_OUR_END = "SET client_connection_check_interval = '1s'"

# A lock that was not to be had, and a deadlock that was ended at our cost.
_IN_USE = ("55P03", "40P01")

_OLDEST_OTHER = text(
    "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start) AS open_s"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1"
)


def _run(connection: Connection) -> None:
    """Run what is missing on connection; every migration commits, with its revision."""
    context.configure(
        connection=connection,
        target_metadata=TARGETS,
        transactional_ddl=True,
        transaction_per_migration=True,
        on_version_apply=_check_references,  # type: ignore[arg-type]  # called by name
        lock_wait_s=_lock_wait_s(),
    )
    with context.begin_transaction():
        context.run_migrations()


def _lock_wait_s() -> float:
    """Return for how long to try for locks: as told by who asks, or by `-x lock_wait_s=`."""
    typed = context.get_x_argument(as_dictionary=True).get("lock_wait_s")
    return float(typed or context.config.attributes.get("lock_wait_s", LOCK_WAIT_S))


def _check_references(ctx: MigrationContext, **_: Any) -> None:  # noqa: ANN401 - alembic's
    """Take back a migration of SQLite that left rows which refer to nothing."""
    if ctx.dialect.name == "sqlite" and ctx.connection is not None:
        lost = ctx.connection.execute(text("PRAGMA foreign_key_check")).first()
        if lost is not None:
            msg = f"A migration was taken back: a row of {lost[0]} would refer to no {lost[2]}."
            raise StartupError(msg)


async def _run_in(database: db.Database) -> None:
    async with database.writer.connect() as connection:
        if database.single_writer:
            raw = (await connection.get_raw_connection()).driver_connection
            # A table is changed by making it anew; dropping the old would drop what refers to it.
            await raw.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]  # aiosqlite's
            await connection.run_sync(_run)
            return
        give_up_at = time.monotonic() + _lock_wait_s()
        async with _alone(connection, give_up_at):
            await _run_when_free(connection, give_up_at)


@asynccontextmanager
async def _alone(connection: AsyncConnection, give_up_at: float) -> AsyncIterator[None]:
    """Keep other runs out. The lock is the session's: a migration may end its transaction."""
    for statement in _SESSION:
        await connection.execute(text(statement))
    await connection.commit()
    try:
        await connection.execute(text(_NOTICE_OUR_END))
        await connection.commit()
    except DBAPIError:
        await connection.rollback()
    # Asked again and again: one that waits in the server has a snapshot, and the other's
    # CREATE INDEX CONCURRENTLY would wait for that.
    while not await connection.scalar(text(f"SELECT pg_try_advisory_lock({_MIGRATION_LOCK})")):
        await connection.commit()
        if time.monotonic() > give_up_at:
            msg = (
                f"Another migration of this database has run for {_lock_wait_s():g} s: "
                "wait for its end, and run this again."
            )
            raise StartupError(msg)
        await anyio.sleep(_ASK_AGAIN_S)
    await connection.commit()
    try:
        yield
    finally:
        # Were the connection lost, the lock would be gone with it.
        if not connection.invalidated:
            await connection.rollback()
            await connection.execute(text(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})"))
            await connection.commit()


async def _run_when_free(connection: AsyncConnection, give_up_at: float) -> None:
    """Run; where a table is in use, let go, and try again a while later."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            await connection.run_sync(_run)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _IN_USE:
                raise
            await connection.rollback()
            if time.monotonic() + pause_s > give_up_at:
                raise StartupError(await _why_not(connection)) from error
        else:
            return
        await anyio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _why_not(connection: AsyncConnection) -> str:
    other = (await connection.execute(_OLDEST_OTHER)).first()
    await connection.rollback()
    whose = (
        "what held it is gone by now"
        if other is None
        else f"the oldest open transaction is that of process {other.pid} of the server"
        f" ({other.application_name or 'unnamed'}), open for {other.open_s:.0f} s"
    )
    return (
        f"A migration needs a lock that it did not get in {_lock_wait_s():g} s; {whose}. "
        "What was done stays done: run it again when the lock is free."
    )


async def _run_in_and_close(database: db.Database) -> None:
    try:
        await _run_in(database)
    finally:
        await database.close()


def _database(settings: Settings) -> db.Database:
    """Return the database of settings, whose directory the caller owns when it is embedded."""
    if settings.database_url is None:
        return db.sqlite(database_file(settings))
    return db.postgresql(settings.database_url.get_secret_value())


async def _run_from_command_line() -> None:
    try:
        async with open_database(load_settings()) as database:
            await _run_in(database)
    except StartupError as error:
        raise SystemExit(f"orderly: {error}") from None


if context.is_offline_mode():
    raise SystemExit("orderly: migrations look at the database, so --sql cannot print them.")
# Files are read now, so that nothing blocks once an event loop runs.
list(context.script.walk_revisions())
if (known := context.config.attributes.get("settings")) is not None:
    anyio.run(_run_in_and_close, _database(known))
else:
    anyio.run(_run_from_command_line)
