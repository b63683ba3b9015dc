"""What `doctor` makes of the database: reached, its version, schema, rights, and promises."""

import time
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import db, schema
from app.cli.doctor_rights import look_at_rights, look_at_schema_rights
from app.cli.finding import Finding, failed, ok, warning
from app.errors import StartupError
from app.runtime import database_file, reach_database
from app.settings import Settings

_OLDEST_POSTGRESQL = 14
_OLDEST_SQLITE = (3, 35)

_MIGRATE = "Run `python3 dev.py migrate`, or start with --migrate."


async def look_at_database(
    settings: Settings,
) -> tuple[list[Finding], float | None, int | None]:
    """Return what was found, how far its clock is ahead of ours, and how many keys it holds."""
    if settings.database_url is None and not database_file(settings).exists():
        made = f"none in {settings.data} yet: the first start makes it"
        return [ok("database", f"SQLite, {made}")], None, None
    try:
        database = _opened(settings)
    except StartupError as error:
        return [failed("database", str(error), "Correct DATABASE_URL.")], None, None
    try:
        await reach_database(database)
        async with database.read() as session:
            found = [one async for one in _server(session, settings)]
            ahead_s = None if database.single_writer else await _ahead_s(session)
        found += await _schema(settings, database)
        async with database.read() as session:
            return found, ahead_s, await _keys(session)
    except StartupError as error:
        remedy = "Start it, or correct DATABASE_URL: host, port, user, password and name."
        return [failed("database", str(error), remedy)], None, None
    except (OSError, SQLAlchemyError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        return [failed("database", said, "Look at the log of the database.")], None, None
    finally:
        await database.close()


def _opened(settings: Settings) -> db.Database:
    if settings.database_url is None:
        return db.sqlite_reader(database_file(settings))
    return db.postgresql(settings.database_url.get_secret_value(), timeouts=settings.timeouts)


async def _server(session: AsyncSession, settings: Settings) -> AsyncIterator[Finding]:
    if settings.embedded:
        version = str(await session.scalar(text("SELECT sqlite_version()")))
        if tuple(map(int, version.split(".")[:2])) < _OLDEST_SQLITE:
            yield failed(
                "database", f"SQLite {version}", "Take a Python with SQLite 3.35 or newer."
            )
        else:
            yield ok("database", f"SQLite {version}, {database_file(settings)}")
        return
    asked = await _postgresql(session)
    version = str(asked["version"])
    if int(version.split(".")[0]) < _OLDEST_POSTGRESQL:
        remedy = f"Take PostgreSQL {_OLDEST_POSTGRESQL} or newer."
        yield failed("database", f"PostgreSQL {version}", remedy)
    else:
        yield ok("database", f"PostgreSQL {version}, database {asked['name']}, as {asked['user']}")
    if asked["replica"] or asked["read_only"]:
        which = "a replica" if asked["replica"] else "read-only"
        yield failed("database", f"it is {which}", "Name the primary in DATABASE_URL.")
    if asked["fsync"] == "off" or asked["synchronous_commit"] == "off":
        yield warning(
            "durability",
            f"fsync={asked['fsync']}, synchronous_commit={asked['synchronous_commit']}",
            "A crash may lose commits that were acknowledged, and orders with them: set both on.",
        )
    yield _connections(int(asked["most"]), int(asked["open"]), settings.database_pool)


def _connections(most: int, taken: int, pool: int) -> Finding:
    found = f"{taken} of {most} are taken; a process of ours takes up to {pool}"
    if most - taken < pool:
        remedy = "Raise max_connections, or lower APP_DATABASE_POOL."
        return warning("connections", found, remedy)
    return ok("connections", found)


async def _postgresql(session: AsyncSession) -> dict[str, Any]:
    row = await session.execute(
        text(
            "SELECT current_setting('server_version') AS version, current_database() AS name,"
            " current_user AS user, pg_is_in_recovery() AS replica,"
            " current_setting('default_transaction_read_only') = 'on' AS read_only,"
            " current_setting('fsync') AS fsync,"
            " current_setting('synchronous_commit') AS synchronous_commit,"
            " current_setting('max_connections') AS most,"
            # Of other users' sessions `pg_stat_activity` does not even tell what they are.
            " (SELECT sum(numbackends) FROM pg_stat_database) AS open"
        )
    )
    return dict(row.mappings().one())


async def _ahead_s(session: AsyncSession) -> float:
    """Return how far the server's clock is ahead of ours; as exact as half a round trip."""
    before = time.time()
    theirs = float(
        await session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or before
    )
    return theirs - (before + time.time()) / 2


async def _schema(settings: Settings, database: db.Database) -> list[Finding]:
    state = await schema.look(database)
    if not state.serves:
        found = f"is at {state.current}, and this version, which knows {state.head}, does not work"
        remedy = "Run the version of Orderly that migrated it, or restore a backup."
        return [failed("schema", f"it {found} with it: it was migrated by a newer one", remedy)]
    if state.pending:
        at = f"it is at {state.current}" if state.current else "it was never created"
        steps = "; ".join(f"{each.revision} {each.title}" for each in state.pending)
        found = f"{at}, and {len(state.pending)} migrations up to {state.head} are pending: {steps}"
        if settings.embedded:
            return [warning("schema", found, "The next start migrates it.")]
        async with database.read() as session:
            rights = await look_at_schema_rights(session)
        return [failed("schema", found, _MIGRATE), *rights]
    rights = []
    if not settings.embedded:
        async with database.read() as session:
            rights = await look_at_rights(session)
    if state.is_newer:
        found = f"at {state.current}, newer than {state.head}, and this version works with it"
        remedy = "Bring every process to the version that migrated it."
        return [warning("schema", found, remedy), *rights]
    return [ok("schema", "up to date"), *rights]


async def _keys(session: AsyncSession) -> int | None:
    """Return how many API keys were made and not revoked; None where there is no such table."""
    counted = text("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL")
    try:
        return int(await session.scalar(counted) or 0)
    except SQLAlchemyError:
        return None
