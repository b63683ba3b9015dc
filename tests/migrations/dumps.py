"""A whole database as SQL text: made, and loaded again."""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import asyncpg

from tests.postgres import PostgresServer

# Of pg_dump's lines those that say when, by which version and with which settings.
_ABOUT_ITSELF = re.compile(r"--|SET |\\|SELECT pg_catalog.set_config|\s*$")


def dump_sqlite(file: Path) -> str:
    """Return a SQLite database as SQL."""
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump())


def load_sqlite(file: Path, text: str) -> None:
    """Make a SQLite database of what `dump_sqlite` returned."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(text)


def dump_postgresql(server: PostgresServer, url: str) -> str:
    """Return a database of server as SQL, by the server's own pg_dump."""
    plain = url.replace("+asyncpg", "")
    done = subprocess.run(
        [server._bin / "pg_dump", "--inserts", "--no-owner", "--no-privileges", "-d", plain],
        env={"PGTZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    kept = [line for line in done.stdout.splitlines() if not _ABOUT_ITSELF.match(line)]
    return "\n".join(kept)


async def load_postgresql(url: str, text: str) -> None:
    """Fill an empty database with what `dump_postgresql` returned."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(text)
    finally:
        await connection.close()
