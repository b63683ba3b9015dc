"""Changes of a schema that is in use: nobody waits for them, and older builds go on.

For migrations after the first release; docs/migrations.md tells when to use which.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

# Whoever comes after a change of a table that waits for its lock, waits behind it: so it waits for
# less long than our own transactions do.
LOCK_TIMEOUT_S = 1.0


def create_index(
    name: str, table: str, columns: Sequence[str], *, where: str | None = None, unique: bool = False
) -> None:
    """Build an index while others read and write; on SQLite there are none, so at once.

    On PostgreSQL it commits what its migration did so far: give it a migration of its own. What
    a build that was broken off has left is dropped first.
    """
    condition = None if where is None else sa.text(where)
    if not _on_postgresql():
        op.create_index(name, table, list(columns), unique=unique, sqlite_where=condition)
        return
    with _patiently():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name,
            table,
            list(columns),
            unique=unique,
            postgresql_where=condition,
            postgresql_concurrently=True,
        )


def drop_index(name: str, table: str) -> None:
    """Drop an index while others read and write; like `create_index`, in a migration of its own."""
    if not _on_postgresql():
        op.drop_index(name, table, if_exists=True)
        return
    with _patiently():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)


def needs_build_of(revision: str) -> None:
    """Say that builds older than the one that brought revision no longer work with this schema.

    They refuse to start from now on. What contracts calls this, and nothing else has to.
    """
    noted = "UPDATE alembic_version SET oldest = :new WHERE oldest IS NULL OR oldest < :new"
    op.execute(sa.text(noted).bindparams(new=revision))


def lock_timeout(seconds: float) -> str:
    """Return the statement after which this session gives up a lock when it has waited so long."""
    return f"SET lock_timeout = '{round(1000 * seconds)}ms'"


def _on_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


@contextmanager
def _patiently() -> Iterator[None]:
    """Be outside a transaction, and wait long: nobody waits behind what is done CONCURRENTLY."""
    context = op.get_context()
    with context.autocommit_block():
        op.execute(lock_timeout(context.opts["lock_wait_s"]))
        try:
            yield
        finally:
            op.execute(lock_timeout(LOCK_TIMEOUT_S))
