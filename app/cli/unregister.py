"""`unregister`: a subscriber whose module was taken out, over REST."""

from typing import Annotated
from urllib.parse import quote

import typer

from app.cli.ask import HERE, ApiKey, Url, ask


def unregister(
    subscriber: Annotated[str, typer.Argument(help="The subscriber that is to be no more.")],
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop its dead letters with it.")
    ] = False,
    url: Url = HERE,
    api_key: ApiKey = None,
) -> None:
    """Keep neither streams nor history for a subscriber that no build has any more."""
    path = f"/v1/ops/subscribers/{quote(subscriber, safe='')}"
    done = ask(url, api_key, "DELETE", path, params={"discard": str(discard).lower()})
    dropped = done["detail"]
    typer.echo(
        f"{subscriber} is unregistered; dropped with it: {dropped['due']} due, {dropped['dead']} "
        "dead letters."
    )
