"""`migrate`: bring the database's schema up to this code."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from app import schema
from app.cli.say import AsJson, as_json, sentence
from app.runtime import open_database
from app.settings import Settings, load_settings


def migrate(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    lock_wait_s: Annotated[
        float, typer.Option(min=0, help="For how long to try for locks that others hold.")
    ] = schema.LOCK_WAIT_S,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Bring the schema up to date, as `alembic upgrade head` would.

    Safe to run twice at once, and beside processes that serve. Example: `migrate`
    """
    settings = load_settings(data=data)
    before = anyio.run(_migrate, settings, lock_wait_s)
    done = [] if before.is_newer else before.pending
    if not as_json():
        for each in done:
            typer.echo(f"{each.revision}  {each.title}")
    text = (
        f"The schema is at {before.current}, newer than this version of Orderly, which works "
        "with it: nothing was done."
        if before.is_newer
        else "The schema is up to date."
    )
    told = {"schema": "newer" if before.is_newer else "current"}
    sentence(text, told | {"migrated": [each.revision for each in done]})


async def _migrate(settings: Settings, lock_wait_s: float) -> schema.State:
    async with open_database(settings) as database:
        return await schema.ensure_current(settings, database, lock_wait_s=lock_wait_s)
