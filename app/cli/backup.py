"""`backup`: copy the embedded database, whoever is using it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.cli.say import AsJson, sentence
from app.errors import StartupError
from app.runtime import database_file
from app.settings import Settings, load_settings


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; nothing may be there yet.")],
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Copy the embedded database as it is at one moment, while it is in use, and check the copy.

    The stream engine has nothing that is not in there. For PostgreSQL take pg_dump or a base
    backup. Example: `backup /srv/backup/orderly.db`
    """
    source = _source(load_settings(data=data))
    if file.exists():
        raise StartupError(f"{file} is there already: name another file, or remove it.")
    if not file.parent.is_dir():
        raise StartupError(f"{file.parent} is no directory: make it first.")
    size = copy(source, file)
    told = {"file": str(file), "bytes": size}
    sentence(f"Copied {source} to {file}: {size / 1e6:.1f} MB, and whole.", told)


def _source(settings: Settings) -> Path:
    if not settings.embedded:
        msg = (
            "`backup` copies the embedded database: for that of DATABASE_URL use pg_dump or a "
            "base backup, as docs/operations.md tells."
        )
        raise StartupError(msg)
    source = database_file(settings)
    if not source.exists():
        msg = f"There is no Orderly data in {settings.data}: name its directory with --data."
        raise StartupError(msg)
    return source


def copy(source: Path, file: Path) -> int:
    """Copy a SQLite database in use, and return the size of the copy in bytes.

    The copy has its name only when it is whole and on the disk. Raises StartupError when it cannot
    be made, or is found broken.
    """
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    # Nobody else may read it: there are customers in it.
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(source, timeout=30)) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        with closing(sqlite3.connect(partial)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            raise StartupError(f"The copy of {source} is broken, and so may be its source: {found}")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(file)
    except sqlite3.Error as error:
        raise StartupError(f"{source} cannot be copied: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return file.stat().st_size
