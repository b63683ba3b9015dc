"""`dead-letters`: what subscribers gave up, and what an operator does about it, over REST."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from app.cli.ask import HERE, ApiKey, Url, ask, given

LETTERS = "/v1/ops/dead-letters"

SubscriberOption = Annotated[str | None, typer.Option(help="Of this subscriber only.")]
TypeOption = Annotated[str | None, typer.Option("--type", help="Of this event type only.")]
ErrorOption = Annotated[str | None, typer.Option("--error", help="With this class of error only.")]
SinceOption = Annotated[str | None, typer.Option(help="Changed at this time (RFC 3339) or later.")]
UntilOption = Annotated[str | None, typer.Option(help="Changed before this time.")]
StateOption = Annotated[str, typer.Option(help="dead, discarded, or (to list only) due.")]
Subscriber = Annotated[str, typer.Argument(help="The subscriber that gave it up.")]
EventId = Annotated[str, typer.Argument(help="The event's id.")]

dead_letters = typer.Typer(help="Look at dead letters, redrive or discard them.")


@dead_letters.command("list")
def list_(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    subscriber: SubscriberOption = None,
    type_: TypeOption = None,
    error: ErrorOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    state: StateOption = "dead",
    each: Annotated[bool, typer.Option("--each", help="One line each, not in groups.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most lines to show.")] = 50,
    url: Url = HERE,
    api_key: ApiKey = None,
) -> None:
    """List dead letters by what went wrong, or each of them."""
    filters = given(
        subscriber=subscriber,
        type=type_,
        error_type=error,
        since=since,
        until=until,
        state=state,
        limit=limit,
    )
    page = ask(url, api_key, "GET", LETTERS if each else f"{LETTERS}/groups", params=filters)
    if not page["items"]:
        typer.echo(f"Nothing is {state}.")
        return
    if each:
        columns = ["subscriber", "event_id", "type", "attempts", "error_type", "updated_at"]
    else:
        columns = ["subscriber", "type", "error_type", "count", "first_at", "last_at"]
    table(columns, page["items"])
    if page["next_cursor"]:
        typer.echo("There are more: narrow the filter, or raise --limit.")


@dead_letters.command()
def show(
    subscriber: Subscriber, event_id: EventId, url: Url = HERE, api_key: ApiKey = None
) -> None:
    """Show one dead letter with its event, its error, and what was changed in it, as JSON."""
    typer.echo(json.dumps(ask(url, api_key, "GET", _path(subscriber, event_id)), indent=2))


@dead_letters.command()
def redrive(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    subscriber: Annotated[str | None, typer.Argument(help="The subscriber.")] = None,
    event_id: Annotated[str | None, typer.Argument(help="The event's id; unset: many.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Whatever the filters let through.")] = False,
    type_: TypeOption = None,
    error: ErrorOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    state: StateOption = "dead",
    data: Annotated[
        Path | None, typer.Option(help="JSON file with the event's data as it should be.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only tell.")] = False,
    url: Url = HERE,
    api_key: ApiKey = None,
) -> None:
    """Run one dead letter now and say what happened, or make many due with --all.

    Exits 1 when the one is not handled.
    """
    if event_id is None:
        if not every or data is not None:
            raise refusal("Name a SUBSCRIBER and an EVENT_ID, or say --all; --data is for one.")
        body = given(
            subscriber=subscriber,
            type=type_,
            error_type=error,
            since=since,
            until=until,
            state=state,
            dry_run=dry_run,
        )
        started(ask(url, api_key, "POST", f"{LETTERS}/redrive", json=body, key=uuid4().hex))
        return
    if every or subscriber is None or any((type_, error, since, until)):
        raise refusal("An EVENT_ID names one dead letter: leave --all and the filters out.")
    body = {"dry_run": dry_run} | ({} if data is None else {"data": _read(data)})
    answer = ask(url, api_key, "POST", f"{_path(subscriber, event_id)}/redrive", json=body)
    _tell(answer)
    raise typer.Exit(0 if answer["outcome"] == "handled" else 1)


@dead_letters.command()
def discard(
    subscriber: Subscriber,
    event_id: EventId,
    reason: Annotated[str, typer.Option(help="Why it need not be handled; it is kept.")],
    url: Url = HERE,
    api_key: ApiKey = None,
) -> None:
    """Waive one dead letter; a redrive takes this back."""
    path = f"{_path(subscriber, event_id)}/discard"
    ask(url, api_key, "POST", path, json={"reason": reason}, key=uuid4().hex)
    typer.echo(f"{event_id} is discarded for {subscriber}.")


def started(answer: dict[str, Any]) -> None:
    """Say how many deliveries an action made due, or would make."""
    if answer.get("dry_run"):
        typer.echo(f"{answer['total']} would be made due; nothing was changed.")
        return
    typer.echo(f"{answer['total']} are due now; see /v1/ops/actions/{answer['id']}.")


def table(columns: list[str], items: list[dict[str, Any]]) -> None:
    """Print items, one line each."""
    shown = Table(box=None, header_style="bold")
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for item in items:
        shown.add_row(*("" if item[name] is None else str(item[name]) for name in columns))
    Console(markup=False, highlight=False).print(shown)


def refusal(sentence: str) -> typer.Exit:
    """Say what is wrong with the command line; raise what is returned."""
    typer.echo(sentence, err=True)
    return typer.Exit(2)


def _tell(answer: dict[str, Any]) -> None:
    """Say what happened to one dead letter, or would happen."""
    error = f": {answer['error_type']}: {answer['error']}" if answer["error_type"] else ""
    if not answer["dry_run"]:
        here = "" if answer["ran"] else ", for a worker that has a handler for it"
        typer.echo(f"{answer['outcome']}{here}{error}")
        return
    typer.echo(f"would be {answer['outcome']}{error}")
    for event in answer["events"]:
        typer.echo(f"would publish {event['type']} {json.dumps(event['data'])}")
    if answer["tables"]:
        table(["table", "inserted", "updated", "deleted"], answer["tables"])


def _path(subscriber: str, event_id: str) -> str:
    return f"{LETTERS}/{quote(subscriber, safe='')}/{quote(event_id, safe='')}"


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise refusal(f"{file} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise refusal(f"{file} is not JSON: {error}.") from None
