"""`migrate`: bring the database's schema up to this code."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from app import schema
from app.cli.say import AsJson, sentence
from app.runtime import open_database
from app.settings import Settings, load_settings


def migrate(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Bring the schema up to date, as `alembic upgrade head` would.

    Example: `migrate`
    """
    settings = load_settings(data=data)
    anyio.run(_migrate, settings)
    sentence("The schema is up to date.", {"schema": "current"})


async def _migrate(settings: Settings) -> None:
    async with open_database(settings) as database:
        await schema.ensure_current(settings, database)
