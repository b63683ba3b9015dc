"""`migrate`: bring the database's schema up to this code."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from app import schema
from app.runtime import open_database
from app.settings import Settings, load_settings


def migrate(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
) -> None:
    """Bring the schema up to date, as `alembic upgrade head` would."""
    settings = load_settings(data=data)
    anyio.run(_migrate, settings)
    typer.echo("The schema is up to date.")


async def _migrate(settings: Settings) -> None:
    async with open_database(settings) as database:
        await schema.ensure_current(settings, database)
