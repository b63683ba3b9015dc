"""`verify`: check the invariants of a running or stopped Orderly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import anyio
import typer

from app import db, schema, verify as checks
from app.bus.embedded import running_engine_url
from app.bus.errors import StreamUnavailableError
from app.bus.stream import Stream
from app.cli.say import AsJson, Exit, document
from app.errors import StartupError
from app.runtime import (
    database_file,
    open_database,
    open_stream,
    reach_database,
    stream_directory,
)
from app.settings import Settings, load_settings


def verify(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    as_json_: AsJson = False,
) -> None:
    """Check that counters, ledger, orders, reservations and deliveries agree. Changes nothing.

    Exits 3 when there are violations. Example: `verify --data var`
    """
    report = anyio.run(verified, load_settings(data=data))
    if as_json_:
        document(asdict(report) | {"violations": report.violations})
    else:
        _tell(report)
    raise typer.Exit(Exit.WRONG if report.violations else Exit.DONE)


def _tell(report: checks.Report) -> None:
    for name, offenders in report.offenders.items():
        typer.echo(f"{'FAIL' if offenders else 'ok  '} {name}")
        for id_ in offenders[: checks.OFFENDERS_SHOWN]:
            typer.echo(f"       {id_}")
        if len(offenders) > checks.OFFENDERS_SHOWN:
            typer.echo(f"       and {len(offenders) - checks.OFFENDERS_SHOWN} more")
    unasked = "" if report.stream_asked else " (no stream engine is running, so none was asked)"
    typer.echo(
        f"{report.violations} violations; {report.in_transit} deliveries in transit{unasked}"
    )


async def verified(settings: Settings) -> checks.Report:
    """Verify the data of settings, beside the processes that run on it or without any.

    Raises StartupError when there is none, or not of this version.
    """
    async with _database(settings) as database, _stream(settings) as stream:
        await schema.require_current(database)
        return await checks.verify(database, stream)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[db.Database]:
    """Open the database to read, also beside the process that owns it."""
    if not settings.embedded:
        async with open_database(settings) as database:
            yield database
        return
    file = database_file(settings)
    if not file.exists():
        msg = f"There is no Orderly data in {settings.data}: name its directory with --data."
        raise StartupError(msg)
    database = db.sqlite_reader(file)
    try:
        await reach_database(database)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _stream(settings: Settings) -> AsyncIterator[Stream | None]:
    """Connect to the stream engine, or yield None when none runs."""
    if settings.redis_url is not None:
        url: str | None = settings.redis_url.get_secret_value()
    else:
        url = running_engine_url(stream_directory(settings))
    if url is None:
        yield None
        return
    async with open_stream(url, settings) as stream:
        try:
            await stream.ping()
        except StreamUnavailableError as error:
            typer.echo(
                f"The stream engine was not asked, because it does not answer: {error}", err=True
            )
            yield None
        else:
            yield stream
