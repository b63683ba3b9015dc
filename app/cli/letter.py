"""One dead letter as people read it, and what a redrive of it did or would do."""

import json
from typing import Any

import typer

from app.cli.say import as_json, console, document, table

_FACTS = (
    *("subscriber", "event_id", "type", "subject", "correlation_id", "state", "reason"),
    *("attempts", "next_attempt_at", "action_id", "created_at", "updated_at"),
)


def show_letter(letter: dict[str, Any]) -> None:
    """Print a dead letter: facts, error, stack trace, tries, changes, and last its event's data."""
    out = console()
    for name in _FACTS:
        if letter.get(name) is not None:
            out.print(f"{name.replace('_', ' '):<16}", end="", style="bold")
            out.print(str(letter[name]), soft_wrap=True)
    if letter["error_type"]:
        out.print(f"\n{letter['error_type']}: {letter['error']}", style="red", soft_wrap=True)
    if letter["traceback"]:
        out.print(letter["traceback"].rstrip(), style="dim", soft_wrap=True)
    if letter["attempts_made"]:
        typer.echo()
        columns = ["attempt", "failed_at", "took_ms", "error_type", "error"]
        table(columns, letter["attempts_made"])
    for change in letter["changes"]:
        old, new = (json.dumps(change[side], ensure_ascii=False) for side in ("old", "new"))
        out.print(f"edited {change['pointer']}: {old} → {new}", soft_wrap=True)
    out.print("\ndata", style="bold")
    typer.echo(json.dumps(letter["envelope"]["data"], indent=2, ensure_ascii=False))


def show_redriven(answer: dict[str, Any]) -> None:
    """Say what happened to one dead letter, or would happen."""
    if as_json():
        document(answer)
        return
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
