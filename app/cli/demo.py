"""`demo`: a shop that lives for a few minutes, and tells what to look at in the console."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.demo_crowd import Crowd
from app.cli.demo_story import Story
from app.cli.load_lanes import together
from app.cli.rest import Rest, ServerError
from app.cli.say import AsJson, Exit, as_json, console, line
from app.cli.verify import verified
from app.errors import StartupError
from app.settings import Role, Settings
from app.verify import Report

_ROOT = Path(__file__).parents[2]
_ORDERS_PER_S = 4.0
_START_S = 30.0
_STOP_S = 10.0
_OURS = ("APP_", "DATABASE_URL", "REDIS_URL", "PORT", "OTEL_")


def demo(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    minutes: Annotated[float, typer.Option(min=0, help="How long the story takes.")] = 3.0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the shop; 0: any that is free.")
    ] = 0,
    speed: Annotated[
        float, typer.Option(min=0.1, max=50, help="How many times as many customers.")
    ] = 1.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only address and verdict.")] = False,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the verdict; otherwise Ctrl-C does.")
    ] = False,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Play a lively shop, and tell what to look at: a rush, a poison, a pause, a Redis flushed.

    It runs by itself in a directory that is gone afterwards, and touches nothing of yours. Exits 3
    when the books do not agree at the end.

    Example: `demo --minutes 5 --port 8000`
    """
    # Ending is the same whoever asks for it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    told = Teller(quiet=quiet)
    code = Exit.INTERRUPTED
    with tempfile.TemporaryDirectory(prefix="orderly-demo-") as directory:
        try:
            with shop(Path(directory), port) as opened:
                told.begin(opened.url)
                report = anyio.run(_play, opened, told, minutes, speed)
                told.end(report)
                code = Exit.WRONG if report.violations else Exit.DONE
                if not leave:
                    told.stay()
                    while True:
                        opened.require()
                        time.sleep(0.5)
        except KeyboardInterrupt:
            told.stop()
        except ServerError as error:
            msg = f"The demo broke off: {error} {_last_words(directory)}"
            raise StartupError(msg.strip()) from None
    raise typer.Exit(code)


class Teller:
    """Says what happens, and where to look: lines for people, JSON lines with `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._url = ""
        self._out: Console = console()

    def begin(self, url: str) -> None:
        """Say where the shop is."""
        self._url = url
        self._say("The demo's shop is open, on an embedded database and stream.", "", always=True)

    def __call__(self, sentence: str, look: str | None = None) -> None:
        """Say what happens, and at which page of the console it is seen."""
        self._say(sentence, look, always=False)

    def end(self, report: Report) -> None:
        """Say what `verify` found."""
        broken = [name for name, ids in report.offenders.items() if ids]
        text = f"verify: {len(report.offenders)} invariants, {report.violations} violations."
        if broken:
            text += f" Broken: {'; '.join(broken)}."
        self._say(text, None, always=True, violations=report.violations)

    def stay(self) -> None:
        """Say that the shop goes on."""
        self._say("The shop stays open for you to look around; Ctrl-C ends it.", "", always=True)

    def stop(self) -> None:
        """Say that it is over."""
        self._say("Stopped; nothing of it is left.", None, always=True)

    def _say(self, sentence: str, look: str | None, *, always: bool, **more: int) -> None:
        if self._quiet and not always:
            return
        now = datetime.now().astimezone()
        page = None if look is None else f"{self._url}/console{look}"
        if as_json():
            line({"at": now.isoformat(), "said": sentence, "look": page, **more})
            return
        row = Table.grid(padding=(0, 2))
        row.add_row(Text(f"{now:%H:%M:%S}", "dim"), sentence)
        self._out.print(row)
        if page is not None:
            # In one piece however narrow the terminal is, so that it can be clicked.
            self._out.print(Text(f"          → {page}", "cyan"), soft_wrap=True)


async def _play(opened: "Shop", tell: Teller, minutes: float, speed: float) -> Report:
    rest = Rest(opened.url, connections=32, patience_s=30)
    crowd = Crowd(rest, _ORDERS_PER_S * speed)
    story = Story(rest, crowd, tell, opened.data, minutes * 60)
    async with rest, together() as group:
        group.start_soon(_stay_open, opened, crowd)
        await story.play(group)
        found = await crowd.found()
    statuses = ", ".join(f"{n} {status}" for status, n in Counter(found.values()).most_common())
    lost = set(crowd.placed) - found.keys()
    tell(f"{len(crowd.placed)} orders were placed, {len(lost)} are lost: {statuses}.", "/orders")
    whole = Settings.model_validate(
        {
            "data": opened.data,
            "role": Role.ALL,
            "database_url": None,
            "redis_url": None,
            "subscribers": (),
        }
    )
    report = await verified(whole)
    report.offenders["every order that was placed is there"] = sorted(lost)
    return report


async def _stay_open(opened: "Shop", crowd: Crowd) -> None:
    """Raise ServerError when the shop ends before the story does."""
    while not crowd.ended:
        opened.require()
        await anyio.sleep(0.5)


@dataclass(frozen=True, slots=True)
class Shop:
    """The running shop: where it is, and on what data."""

    url: str
    data: Path
    process: "subprocess.Popen[bytes]"

    def require(self) -> None:
        """Raise ServerError when it has ended."""
        if self.process.poll() is not None:
            raise ServerError(f"The shop ended by itself, with code {self.process.returncode}.")


@contextmanager
def shop(directory: Path, port: int) -> Iterator[Shop]:
    """Run the shop on directory for the length of the block.

    It ends with this process, however that ends. Raises StartupError when it does not start.
    """
    with (directory / "shop.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli.demo_shop", str(directory), str(port)],
            # No .env is there, and no setting of ours: the demo is the same everywhere.
            cwd=directory,
            env=_without_ours(os.environ) | {"PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C is for us alone: the shop ends when we say so.
            start_new_session=True,
        )
        try:
            yield Shop(_address(process, directory), directory / "var", process)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: "subprocess.Popen[bytes]", directory: Path) -> str:
    assert process.stdout is not None  # noqa: S101 - as it was started
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    said = process.stdout.readline() if ready else b""
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        msg = f"The demo's shop did not start. {_last_words(directory)}"
        raise StartupError(msg.strip()) from None
    return str(found["url"])


def _last_words(directory: str | Path) -> str:
    """Return the last line that the shop wrote about its troubles."""
    lines = (Path(directory) / "shop.log").read_text(errors="replace").splitlines()
    return next((each for each in reversed(lines) if each.strip()), "")


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_OURS)}
