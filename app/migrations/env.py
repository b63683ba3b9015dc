"""What alembic runs: it opens the database of the settings and brings it up in one transaction."""

import anyio
from alembic import context
from sqlalchemy import Connection, text

from app import db
from app.bus import tables as bus_tables
from app.errors import StartupError
from app.modules.inventory.models import tables as inventory_models
from app.modules.orders.models import tables as orders_models
from app.runtime import database_file, open_database
from app.settings import Settings, load_settings
from app.web import claims, keys, sessions

# Imported for the tables they declare.
DECLARED = (inventory_models, orders_models, claims, keys, sessions)
TARGETS = [bus_tables.metadata, db.Base.metadata]

# Two starts at once must not both create the tables; any number no other lock has would do.
_MIGRATION_LOCK = 0x0EDE_0002


def _run(connection: Connection) -> None:
    """Migrate on connection; whoever opened it commits."""
    context.configure(connection=connection, target_metadata=TARGETS, transactional_ddl=True)
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    with context.begin_transaction():
        context.run_migrations()


async def _run_in(database: db.Database) -> None:
    async with database.writer.begin() as connection:
        await connection.run_sync(_run)


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
