"""What `doctor` makes of the database: reached, its version, schema, rights, and promises."""

import time
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import db, schema
from app.cli.finding import Finding, failed, ok, warning
from app.errors import StartupError
from app.runtime import database_file, reach_database
from app.settings import Settings

_OLDEST_POSTGRESQL = 14
_OLDEST_SQLITE = (3, 35)
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")

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
    if not asked["may_create"]:
        yield warning(
            "privileges",
            f"{asked['user']} may not create tables in the schema {asked['schema']}",
            "`migrate` needs that right: run it as the owner.",
        )
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
            " current_user AS user, current_schema() AS schema,"
            " pg_is_in_recovery() AS replica,"
            " current_setting('default_transaction_read_only') = 'on' AS read_only,"
            " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,"
            " current_setting('fsync') AS fsync,"
            " current_setting('synchronous_commit') AS synchronous_commit,"
            " current_setting('max_connections') AS most,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS open"
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
    try:
        await schema.require_current(database)
    except StartupError as error:
        said = str(error).partition(": run ")[0].rstrip(".") + "."
        if "newer one" in said:
            remedy = "Run the version of Orderly that migrated it, or restore a backup."
            return [failed("schema", str(error), remedy)]
        if settings.embedded:
            return [warning("schema", said, "The next start migrates it.")]
        return [failed("schema", said, _MIGRATE)]
    denied = [] if settings.embedded else await _denied(database)
    if denied:
        remedy = "Grant SELECT, INSERT, UPDATE and DELETE on every table, or be their owner."
        return [failed("privileges", f"no full rights on {', '.join(denied)}", remedy)]
    return [ok("schema", "up to date")]


async def _denied(database: db.Database) -> list[str]:
    """Return the tables that this user may not read and write."""
    rights = " AND ".join(f"has_table_privilege(oid, '{right}')" for right in _RIGHTS)
    wanted = text(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"  # noqa: S608 - our own words
        f" AND relnamespace = current_schema()::regnamespace AND NOT ({rights}) ORDER BY relname"
    )
    async with database.read() as session:
        return [str(name) for name in await session.scalars(wanted)]


async def _keys(session: AsyncSession) -> int | None:
    """Return how many API keys were made and not revoked; None where there is no such table."""
    counted = text("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL")
    try:
        return int(await session.scalar(counted) or 0)
    except SQLAlchemyError:
        return None
