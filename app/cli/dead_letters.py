"""`dead-letters`: what subscribers gave up, and what an operator does about it, over REST."""

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from app.cli.ask import HERE, ApiKey, Limit, Url, ask, given
from app.cli.figures import moment
from app.cli.follow import started
from app.cli.letter import show_letter, show_redriven
from app.cli.replay import Timeout, Wait
from app.cli.say import AsJson, Exit, as_json, document, page, refusal, sentence

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
    limit: Limit = 50,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """List dead letters by what went wrong, or each of them.

    Example: `dead-letters list --subscriber inventory --each`
    """
    filters = given(
        subscriber=subscriber,
        type=type_,
        error_type=error,
        since=since,
        until=until,
        state=state,
        limit=limit,
    )
    body = ask(url, api_key, "GET", LETTERS if each else f"{LETTERS}/groups", params=filters)
    if each:
        columns = ["subscriber", "event_id", "type", "attempts", "error_type", "updated_at"]
    else:
        columns = ["subscriber", "type", "error_type", "count", "first_at", "last_at"]
    if not as_json():
        times = [column for column in columns if column.endswith("_at")]
        body["items"] = [one | {name: moment(one[name]) for name in times} for one in body["items"]]
    page(body, columns, f"Nothing is {state}.")


@dead_letters.command()
def show(
    subscriber: Subscriber,
    event_id: EventId,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """Show one dead letter: its error and where it was raised, its event, what was changed in it.

    Example: `dead-letters show inventory 0197… --json`
    """
    body = ask(url, api_key, "GET", _path(subscriber, event_id))
    if as_json_:
        document(body)
    else:
        show_letter(body)


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
    edit: Annotated[
        bool, typer.Option("--edit", help="Change the event's data in $EDITOR first.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only tell.")] = False,
    wait: Wait = False,
    timeout_s: Timeout = 600.0,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Run one dead letter now and say what happened, or make many due with --all.

    Exits 1 when the one is not handled, or with --wait when not all of the many are.

    Example: `dead-letters redrive inventory --all --wait`
    """
    if event_id is None:
        if not every or data is not None or edit:
            raise refusal(
                "Name a SUBSCRIBER and an EVENT_ID, or say --all; --data and --edit are for one."
            )
        body = given(
            subscriber=subscriber,
            type=type_,
            error_type=error,
            since=since,
            until=until,
            state=state,
            dry_run=dry_run,
        )
        answer = ask(url, api_key, "POST", f"{LETTERS}/redrive", json=body, key=uuid4().hex)
        started(answer, url=url, api_key=api_key, wait=wait, timeout_s=timeout_s)
        return
    if every or subscriber is None or any((type_, error, since, until)):
        raise refusal("An EVENT_ID names one dead letter: leave --all and the filters out.")
    path = _path(subscriber, event_id)
    body = {"dry_run": dry_run}
    if edit:
        body["data"] = _edited(ask(url, api_key, "GET", path)["envelope"]["data"])
    elif data is not None:
        body["data"] = _read(data)
    answer = ask(url, api_key, "POST", f"{path}/redrive", json=body)
    show_redriven(answer)
    raise typer.Exit(Exit.DONE if answer["outcome"] == "handled" else Exit.FAILED)


@dead_letters.command()
def discard(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    subscriber: Subscriber,
    event_id: EventId,
    reason: Annotated[str, typer.Option(help="Why it need not be handled; it is kept.")],
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Waive one dead letter; a redrive takes this back.

    Example: `dead-letters discard inventory 0197… --reason "Sent by mistake"`
    """
    path = f"{_path(subscriber, event_id)}/discard"
    done = ask(url, api_key, "POST", path, json={"reason": reason}, key=uuid4().hex)
    sentence(f"{event_id} is discarded for {subscriber}.", done)


def _path(subscriber: str, event_id: str) -> str:
    return f"{LETTERS}/{quote(subscriber, safe='')}/{quote(event_id, safe='')}"


def _read(file: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise refusal(f"{file} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise refusal(f"{file} is not JSON: {error}.") from None


def _edited(data: Any) -> Any:  # noqa: ANN401 - JSON
    """Have the operator change data; ends the program when nothing was changed, or to no JSON."""
    before = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="orderly-") as directory:
        file = Path(directory) / "data.json"
        file.write_text(before)
        try:
            ended = subprocess.run([*words, str(file)], check=False).returncode
        except OSError as error:
            raise refusal(f"{words[0]} cannot be started: set EDITOR ({error}).") from None
        after = file.read_text()
        if ended or after == before:
            raise refusal("Nothing was changed in the editor, so nothing was sent.")
        return _read(file)
