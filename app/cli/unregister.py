"""`unregister`: a subscriber whose module was taken out, over REST."""

from typing import Annotated
from urllib.parse import quote

import typer

from app.cli.ask import HERE, ApiKey, Url, ask
from app.cli.say import AsJson, sentence


def unregister(
    subscriber: Annotated[str, typer.Argument(help="The subscriber that is to be no more.")],
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop its dead letters with it.")
    ] = False,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Keep neither streams nor history for a subscriber that no build has any more.

    Example: `unregister receipts --discard`
    """
    path = f"/v1/ops/subscribers/{quote(subscriber, safe='')}"
    done = ask(url, api_key, "DELETE", path, params={"discard": str(discard).lower()})
    dropped = done["detail"]
    sentence(
        f"{subscriber} is unregistered; dropped with it: {dropped['due']} due, {dropped['dead']} "
        "dead letters.",
        done,
    )
