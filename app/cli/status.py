"""`status`: the flow, live like top, over REST."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import anyio
import typer
from anyio.abc import TaskGroup
from rich.console import Group
from rich.live import Live
from rich.text import Text

from app.cli.ask import HERE, ApiKey, Url, ask, connected, refused, unreachable
from app.cli.rest import Rest, ServerError
from app.cli.say import AsJson, as_json, console, document, line
from app.cli.status_view import picture

_FLOW = "/v1/ops/flow"
_QUIT = set(b"qQ\x03\x04")


def status(
    once: Annotated[
        bool, typer.Option("--once", help="Print one picture; so it is without a terminal.")
    ] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.2, max=3600, help="Seconds between two pictures.")
    ] = 2.0,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """Watch rates, backlogs, lag, ages, dead letters and loops; q or Ctrl-C ends it.

    With --json it prints a line every so often. A server that goes away is waited for.

    Example: `status --every 1`
    """
    if once or not (as_json_ or _watched()):
        flow = ask(url, api_key, "GET", _FLOW)
        if as_json_:
            document(flow)
        else:
            out = console()
            out.print(picture(flow, url, out.width))
        return
    try:
        anyio.run(_watch, connected(url, api_key, patience_s=0), every_s)
    except ServerError as error:
        raise unreachable(error) from None
    except KeyboardInterrupt:
        # How it is meant to end.
        return


def _watched() -> bool:
    return sys.stdout.isatty() and sys.stdin.isatty()


async def _watch(rest: Rest, every_s: float) -> None:
    """Show the flow until somebody quits; the first look must succeed."""
    async with rest:
        await rest.probe()
        first = await rest.send("GET", _FLOW)
        if not first.ok:
            raise refused(first)
        if as_json():
            await _lines(rest, first.body, every_s)
            return
        with _keys(), Live(console=console(), screen=True, auto_refresh=False) as live:
            async with anyio.create_task_group() as group:
                group.start_soon(_quit, group)
                await _pictures(rest, live, first.body, every_s)


async def _lines(rest: Rest, flow: dict[str, Any], every_s: float) -> None:
    while True:
        line(flow)
        sys.stdout.flush()
        await anyio.sleep(every_s)
        try:
            answer = await rest.send("GET", _FLOW)
        except ServerError as error:
            flow = {"code": "no_server", "detail": str(error)}
        else:
            flow = answer.body


async def _pictures(rest: Rest, live: Live, flow: dict[str, Any], every_s: float) -> None:
    """Draw picture after picture; while there is no server, the last one under what is wrong."""
    trouble = ""
    while True:
        foot = Text(trouble, "bold red") if trouble else Text("q quits", "dim")
        width = live.console.width
        live.update(Group(picture(flow, rest.url, width), Text(), foot), refresh=True)
        await anyio.sleep(every_s)
        try:
            answer = await rest.send("GET", _FLOW)
        except ServerError as error:
            trouble = f"{error} What stands above was true at its time; trying again."
            continue
        if answer.ok:
            flow, trouble = answer.body, ""
        else:
            trouble = answer.detail or answer.code


async def _quit(group: TaskGroup) -> None:
    """End the pictures when a key says so."""
    while True:
        await anyio.wait_readable(sys.stdin)
        # Unbuffered: a key that is read ahead would never be waited for again.
        typed = os.read(sys.stdin.fileno(), 64)
        if not typed or _QUIT & set(typed):
            group.cancel_scope.cancel()
            return


@contextmanager
def _keys() -> Iterator[None]:
    """Have keys arrive one by one and unseen; as it was before, afterwards."""
    import termios  # noqa: PLC0415 - Windows has none, and nobody watches there
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
