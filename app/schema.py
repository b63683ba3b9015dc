"""Whether the database's schema is the one this code was written for, and how to make it so."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import Connection, inspect, text

from app.db import Database
from app.errors import StartupError
from app.settings import Settings

# Alembic takes as long to import as the database does, and most starts find nothing to migrate.
if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(settings: Settings) -> "Config":
    """Return the configuration with which alembic runs our migrations on settings' database."""
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["settings"] = settings
    return config


async def migrate(settings: Settings) -> None:
    """Bring the schema up to this code; a schema already there is left alone.

    Safe to run twice and from two places at once: on PostgreSQL the second waits for the first.
    """
    await anyio.to_thread.run_sync(_upgrade, settings)


async def require_current(database: Database) -> None:
    """Raise StartupError with the command to type unless the schema is this code's."""
    known, head = await anyio.to_thread.run_sync(_revisions)
    current = await _current_revision(database)
    if current == head:
        return
    _refuse_newer(current, known)
    found = f"is at {current}" if current else "was never created"
    msg = (
        f"The database's schema {found}, and this version of Orderly needs {head}: "
        "run `python -m app migrate`, or start with --migrate."
    )
    raise StartupError(msg)


async def ensure_current(settings: Settings, database: Database) -> None:
    """Migrate when the schema is old or missing; raises StartupError when it is newer."""
    known, head = await anyio.to_thread.run_sync(_revisions)
    current = await _current_revision(database)
    _refuse_newer(current, known)
    if current != head:
        await migrate(settings)


def _upgrade(settings: Settings) -> None:
    from alembic import command  # noqa: PLC0415  # see above

    command.upgrade(alembic_config(settings), "head")


def _refuse_newer(current: str | None, known: frozenset[str]) -> None:
    if current is not None and current not in known:
        msg = (
            f"The database's schema is at {current}, which this version of Orderly does not know: "
            "it was migrated by a newer one, so run that one or restore a backup."
        )
        raise StartupError(msg)


async def _current_revision(database: Database) -> str | None:
    async with database.reader.connect() as connection:
        return await connection.run_sync(_stored_revision)


def _stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@cache
def _revisions() -> tuple[frozenset[str], str]:
    """Return every revision this code knows, and the last one, as the files are named."""
    revisions = sorted(path.name.partition("_")[0] for path in _MIGRATIONS.glob("versions/*_*.py"))
    return frozenset(revisions), revisions[-1]
