"""`streams`: what each stream holds, and how far its groups and consumers are, over REST."""

from collections.abc import Iterator
from typing import Any

import typer

from app.cli.ask import HERE, ApiKey, Url, ask
from app.cli.figures import age, count
from app.cli.say import AsJson, document, table

_COLUMNS = ("stream", "group", "length", "lag", "pending", "oldest", "last_delivered_id")
_CONSUMERS = ("group", "consumer", "pending", "idle", "inactive")


def streams(
    consumers: bool = typer.Option(
        False, "--consumers", help="Show the consumers and the oldest pending entries, too."
    ),
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """List streams with their groups: length, lag, pending entries and the oldest of them.

    Example: `streams --consumers`
    """
    body = ask(url, api_key, "GET", "/v1/ops/streams")
    if as_json_:
        document(body)
        return
    if not body["items"]:
        typer.echo("There are no streams yet: nobody is registered for any.")
        return
    table(_COLUMNS, _groups(body["items"]))
    if consumers:
        groups = [
            (stream["context"], group) for stream in body["items"] for group in stream["groups"]
        ]
        typer.echo()
        table(_CONSUMERS, _consumers(groups))
        if any(group["oldest_pending"] for _, group in groups):
            typer.echo()
            table(("group", "entry_id", "consumer", "idle", "deliveries"), _pending(groups))


def _groups(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for stream in items:
        # A stream without a group is shown all the same.
        for group in stream["groups"] or [None]:
            row: dict[str, Any] = dict.fromkeys(_COLUMNS)
            row |= {"stream": stream["context"], "length": count(stream["length"])}
            if group is not None:
                row |= {
                    "group": group["subscriber"],
                    "lag": count(group["lag"]),
                    "pending": group["pending"],
                    "oldest": age(group["oldest_age_s"]),
                    "last_delivered_id": group["last_delivered_id"],
                }
            yield row


def _consumers(groups: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for context, group in groups:
        for consumer in group["consumers"]:
            yield {
                "group": f"{group['subscriber']} on {context}",
                "consumer": consumer["name"],
                "pending": consumer["pending"],
                "idle": age(consumer["idle_s"]),
                "inactive": age(consumer["inactive_s"]),
            }


def _pending(groups: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for context, group in groups:
        for entry in group["oldest_pending"]:
            yield entry | {
                "group": f"{group['subscriber']} on {context}",
                "idle": age(entry["idle_s"]),
            }
