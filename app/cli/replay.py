"""`replay` and `fill`: history for a subscriber, over REST."""

from typing import Annotated, TypeAlias
from uuid import uuid4

import typer

from app.cli.ask import HERE, ApiKey, Url, ask, given
from app.cli.follow import started
from app.cli.say import AsJson, refusal

Subscriber: TypeAlias = Annotated[str, typer.Argument(help="Name of the subscriber.")]
Wait: TypeAlias = Annotated[
    bool, typer.Option("--wait", help="Wait until all are run; exit 1 when some fail.")
]
Timeout: TypeAlias = Annotated[
    float, typer.Option("--timeout", min=0, help="Most seconds to wait for.")
]


DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Change nothing, only count.")]


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
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout_s: Timeout = 600.0,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Have a subscriber handle again what it handled: the effects happen once more.

    Example: `replay orders --from-time 2026-07-01T00:00:00Z --wait`
    """
    if (from_time is None) == (from_position is None):
        raise refusal("Say where to begin: either --from-time or --from-position.")
    body = given(
        subscriber=subscriber,
        from_time=from_time,
        from_log_position=from_position,
        until_time=until_time,
        until_log_position=until_position,
        dry_run=dry_run,
    )
    answer = ask(url, api_key, "POST", "/v1/ops/replay", json=body, key=uuid4().hex)
    started(answer, url=url, api_key=api_key, wait=wait, timeout_s=timeout_s)


def fill(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    subscriber: Subscriber,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout_s: Timeout = 600.0,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Have a subscriber handle the retained events from before it registered.

    Example: `fill orders --wait`
    """
    body = {"subscriber": subscriber, "dry_run": dry_run}
    answer = ask(url, api_key, "POST", "/v1/ops/fill", json=body, key=uuid4().hex)
    started(answer, url=url, api_key=api_key, wait=wait, timeout_s=timeout_s)
