"""Whether the database's schema is the one this code was written for, and how to make it so."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import structlog
from sqlalchemy import Connection, inspect, text

from app.db import Database
from app.errors import StartupError
from app.settings import Settings

# Alembic takes as long to import as the database does, and most starts find nothing to migrate.
if TYPE_CHECKING:
    from alembic.config import Config

log = structlog.get_logger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"

LOCK_WAIT_S = 300.0
"""For how long a migration is tried again while others hold the locks it needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: the file it is in."""

    path: Path

    @property
    def revision(self) -> str:
        """What alembic calls it."""
        return self.path.name.partition("_")[0]

    @property
    def title(self) -> str:
        """What it is for: the first line of its file, which is not run for that."""
        said = ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8")))
        return (said or self.path.stem).partition("\n")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class State:
    """The schema as the database has it, beside what this code knows.

    `current` is None when it was never created. `is_newer`: a later build migrated it; `serves`:
    this code works with it nevertheless, or will once what is pending is done.
    """

    current: str | None
    head: str
    pending: tuple[Migration, ...]
    is_newer: bool
    serves: bool


def alembic_config(settings: Settings, *, lock_wait_s: float = LOCK_WAIT_S) -> "Config":
    """Return the configuration with which alembic runs our migrations on settings' database."""
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["settings"] = settings
    config.attributes["lock_wait_s"] = lock_wait_s
    return config


async def migrate(settings: Settings, *, lock_wait_s: float = LOCK_WAIT_S) -> None:
    """Bring the schema up to this code; a schema already there is left alone.

    Each migration is a transaction. Safe to run twice and from two places at once: on PostgreSQL
    the second waits for the first, and neither waits in front of others for a lock. Raises
    StartupError when one was not to be had in lock_wait_s.
    """
    await anyio.to_thread.run_sync(_upgrade, settings, lock_wait_s)


async def look(database: Database) -> State:
    """Return how the schema of database and this code stand to each other."""
    migrations = await anyio.to_thread.run_sync(_migrations)
    async with database.reader.connect() as connection:
        current, oldest = await connection.run_sync(_stored)
    head = migrations[-1].revision
    known = current is None or current in {one.revision for one in migrations}
    is_newer = not known and current is not None and current > head
    return State(
        current,
        head,
        tuple(one for one in migrations if known and (current is None or one.revision > current)),
        is_newer,
        known or (is_newer and (oldest is None or oldest <= head)),
    )


async def require_current(database: Database) -> None:
    """Raise StartupError with the command to type unless this code works with the schema."""
    state = await look(database)
    _refuse_unfit(state)
    if not state.pending:
        return
    found = f"is at {state.current}" if state.current else "was never created"
    msg = (
        f"The database's schema {found}, and this version of Orderly needs {state.head}: "
        "run `python -m app migrate`, or start with --migrate."
    )
    raise StartupError(msg)


async def ensure_current(
    settings: Settings, database: Database, *, lock_wait_s: float = LOCK_WAIT_S
) -> State:
    """Migrate when the schema is old or missing, and return how it was before.

    Raises StartupError when it is newer than what this code works with, and as `migrate` does.
    """
    state = await look(database)
    _refuse_unfit(state)
    if state.pending:
        await migrate(settings, lock_wait_s=lock_wait_s)
    return state


def _upgrade(settings: Settings, lock_wait_s: float) -> None:
    from alembic import command  # noqa: PLC0415  # see above

    command.upgrade(alembic_config(settings, lock_wait_s=lock_wait_s), "head")


def _refuse_unfit(state: State) -> None:
    if not state.serves:
        msg = (
            f"The database's schema is at {state.current}, which this version of Orderly "
            "does not work with: it was migrated by a newer one, so run that one or restore a "
            "backup."
        )
        raise StartupError(msg)
    if state.is_newer:
        # A rolling deploy: the schema goes first, and this process was started again meanwhile.
        log.warning("schema is newer", at=state.current, known=state.head)


def _stored(connection: Connection) -> tuple[str | None, str | None]:
    """Return the revision of the schema, and that of the oldest build that works with it."""
    if not inspect(connection).has_table("alembic_version"):
        return None, None
    row = connection.execute(text("SELECT * FROM alembic_version")).mappings().first()
    return (None, None) if row is None else (row["version_num"], row.get("oldest"))


@cache
def _migrations() -> tuple[Migration, ...]:
    """Return every migration this code has, in order, as the files are named."""
    return tuple(map(Migration, sorted(_MIGRATIONS.glob("versions/*_*.py"))))
