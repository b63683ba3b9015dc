"""`replay` and `fill`: history for a subscriber, over REST."""

from typing import Annotated
from uuid import uuid4

import typer

from app.cli.ask import HERE, ApiKey, Url, ask, given
from app.cli.dead_letters import Subscriber, refusal, started


def replay(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    subscriber: Subscriber,
    from_time: Annotated[
        str | None, typer.Option(help="From events of this time (RFC 3339) on.")
    ] = None,
    from_position: Annotated[
        int | None, typer.Option(min=0, help="From this place in the log on.")
    ] = None,
    until_time: Annotated[str | None, typer.Option(help="Events before this time.")] = None,
    until_position: Annotated[
        int | None, typer.Option(min=0, help="Up to this place in the log.")
    ] = None,
    url: Url = HERE,
    api_key: ApiKey = None,
) -> None:
    """Have a subscriber handle again what it handled: the effects happen once more."""
    if (from_time is None) == (from_position is None):
        raise refusal("Say where to begin: either --from-time or --from-position.")
    body = given(
        subscriber=subscriber,
        from_time=from_time,
        from_log_position=from_position,
        until_time=until_time,
        until_log_position=until_position,
    )
    started(ask(url, api_key, "POST", "/v1/ops/replay", json=body, key=uuid4().hex))


def fill(subscriber: Subscriber, url: Url = HERE, api_key: ApiKey = None) -> None:
    """Have a subscriber handle the retained events from before it registered."""
    body = {"subscriber": subscriber}
    started(ask(url, api_key, "POST", "/v1/ops/fill", json=body, key=uuid4().hex))
