"""Whether the database's schema is the one this code was written for, and how to make it so."""

from functools import cache, partial
from pathlib import Path

import anyio
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db import Database
from app.errors import StartupError
from app.settings import Settings

_MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(settings: Settings) -> Config:
    """Return the configuration with which alembic runs our migrations on settings' database."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["settings"] = settings
    return config


async def migrate(settings: Settings) -> None:
    """Bring the schema up to this code; a schema already there is left alone.

    Safe to run twice and from two places at once: on PostgreSQL the second waits for the first.
    """
    await anyio.to_thread.run_sync(partial(command.upgrade, alembic_config(settings), "head"))


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


def _refuse_newer(current: str | None, known: frozenset[str]) -> None:
    if current is not None and current not in known:
        msg = (
            f"The database's schema is at {current}, which this version of Orderly does not know: "
            "it was migrated by a newer one, so run that one or restore a backup."
        )
        raise StartupError(msg)


async def _current_revision(database: Database) -> str | None:
    async with database.reader.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


@cache
def _revisions() -> tuple[frozenset[str], str]:
    """Return every revision this code knows, and the last one."""
    script = ScriptDirectory(str(_MIGRATIONS))
    revisions = [revision.revision for revision in script.walk_revisions()]
    return frozenset(revisions), revisions[0]
