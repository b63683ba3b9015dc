"""An action that makes deliveries due, followed until none is left to run."""

import time
from typing import Any

import anyio
import typer

from app.cli.ask import connected, refused, unreachable
from app.cli.rest import Rest, ServerError
from app.cli.say import Exit, as_json, console, document, on_a_terminal, table

_ASK_EVERY_S = 0.3
_SHOWN = 20


def started(
    answer: dict[str, Any], *, url: str, api_key: str | None, wait: bool, timeout_s: float
) -> None:
    """Say how many deliveries an action made due, or would; with wait, what became of them.

    Ends the program with Exit.FAILED when, after timeout_s seconds or before, some of them have
    not succeeded.
    """
    if wait and not answer.get("dry_run"):
        _wait(answer, url, api_key, timeout_s)
    elif as_json():
        document(answer)
    elif answer.get("dry_run"):
        typer.echo(f"{answer['total']} would be made due; nothing was changed.")
    else:
        typer.echo(f"{answer['total']} are due now; see /v1/ops/actions/{answer['id']}.")


def _wait(answer: dict[str, Any], url: str, api_key: str | None, timeout_s: float) -> None:
    try:
        progress = anyio.run(_followed, connected(url, api_key), answer, timeout_s)
    except ServerError as error:
        raise unreachable(error) from None
    if as_json():
        document(progress)
    else:
        left = [f"{progress[state]} {state}" for state in ("due", "dead", "discarded")]
        typer.echo(f"{progress['done']} of {progress['total']} are handled; {', '.join(left)}.")
        _tell_of(progress["left"])
    raise typer.Exit(Exit.DONE if progress["done"] == progress["total"] else Exit.FAILED)


async def _followed(rest: Rest, answer: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Ask for the action's progress until nothing of it is due, or so many seconds are over."""
    from rich.progress import Progress  # noqa: PLC0415 - most calls do not wait

    give_up_at = time.monotonic() + timeout_s
    progress = Progress(console=console(error=True), disable=not on_a_terminal(), transient=True)
    async with rest:
        with progress:
            bar = progress.add_task("redriven", total=answer["total"])
            while True:
                found = await rest.send("GET", f"/v1/ops/actions/{answer['id']}")
                if not found.ok:
                    raise refused(found)
                progress.update(bar, completed=answer["total"] - found.body["due"])
                if not found.body["due"] or time.monotonic() > give_up_at:
                    break
                await anyio.sleep(_ASK_EVERY_S)
        path = f"/v1/ops/actions/{answer['id']}/deliveries"
        left = await rest.send("GET", path, params={"limit": _SHOWN})
        return found.body | {"left": left.body.get("items", [])}


def _tell_of(left: list[dict[str, Any]]) -> None:
    """List what of an action has not succeeded, the first of them."""
    if left:
        table(["subscriber", "event_id", "state", "attempts", "error_type", "error"], left)
