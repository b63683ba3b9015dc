"""What commands print, for people or with `--json` for programs, and how they end."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.console import Console


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0  #: it is done
    FAILED = 1  #: it was refused, or what was asked for did not come about
    UNUSABLE = 2  #: what was typed cannot be used, or no server is there that lets us in
    WRONG = 3  #: it looked, and found something wrong
    INTERRUPTED = 130  #: Ctrl-C


_as_json: ContextVar[bool] = ContextVar("as_json", default=False)


def _remember(value: bool) -> bool:
    _as_json.set(value)
    return value


AsJson: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, errors too.", callback=_remember, is_eager=True),
]


def as_json() -> bool:
    """Tell whether this command was asked for JSON."""
    return _as_json.get()


def document(body: Mapping[str, Any]) -> None:
    """Print the one JSON document that a command has to say."""
    typer.echo(json.dumps(body, indent=2, ensure_ascii=False))


def line(body: Mapping[str, Any]) -> None:
    """Print one of many JSON documents, each on a line of its own."""
    typer.echo(json.dumps(body, ensure_ascii=False))


def sentence(text: str, body: Mapping[str, Any]) -> None:
    """Say what was done: text to people, body to programs."""
    if as_json():
        document(body)
    else:
        typer.echo(text)


def complain(
    text: str, *, code: str, problem: Mapping[str, Any] | None = None, json_too: bool = False
) -> None:
    """Say on standard error what is wrong: one sentence, or the problem as JSON.

    json_too asks for JSON where the option was not read, because the command line is broken.
    """
    if as_json() or json_too:
        body = {"code": code, "detail": text} | dict(problem or {})
        typer.echo(json.dumps(body, ensure_ascii=False), err=True)
    else:
        typer.echo(text, err=True)


def refusal(text: str) -> typer.Exit:
    """Say what is wrong with the command line; raise what is returned."""
    complain(text, code="usage")
    return typer.Exit(Exit.UNUSABLE)


def console(*, error: bool = False) -> "Console":
    """Return where people read; colours and width are those of their terminal.

    NO_COLOR is respected, and no markup is read from what others wrote.
    """
    from rich.console import Console  # noqa: PLC0415 - with --json it is not needed

    return Console(markup=False, highlight=False, stderr=error, soft_wrap=False)


def table(columns: Sequence[str], items: Iterable[Mapping[str, Any]]) -> None:
    """Print items, one line each; what does not fit is folded, never cut."""
    from rich.table import Table  # noqa: PLC0415 - as above

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        # What is copied from here stays in one piece as long as there is room.
        whole = column in {"id", "event_id", "at", "when"}
        shown.add_column(column.replace("_", " "), overflow="fold", no_wrap=whole)
    for item in items:
        shown.add_row(*(cell(item[name]) for name in columns))
    console().print(shown)


def cell(value: object) -> Any:  # noqa: ANN401 - what rich can render stays what it is
    """Return a value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else value


def on_a_terminal() -> bool:
    """Tell whether people watch: bars and live pictures are for them alone."""
    return sys.stderr.isatty() and not as_json()


def page(body: Mapping[str, Any], columns: Sequence[str], nothing: str) -> None:
    """Print one page of a list, and whether there is more."""
    if as_json():
        document(body)
        return
    if not body["items"]:
        typer.echo(nothing)
        return
    table(columns, body["items"])
    if body.get("next_cursor"):
        typer.echo("There are more: narrow the filter, or raise --limit.")
