"""`events`: the types of events that a running Orderly publishes, over REST."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.bus.members import members
from app.cli.ask import HERE, ApiKey, Url, ask
from app.cli.say import AsJson, as_json, document, page, table

_TYPES = "/v1/event-types"

events = typer.Typer(help="What events there are, who hears them, and what is in them.")


@events.command("list")
def list_(url: Url = HERE, api_key: ApiKey = None, as_json_: AsJson = False) -> None:
    """List the types of events, with who hears them.

    Example: `events list`
    """
    body = ask(url, api_key, "GET", _TYPES)
    if not as_json_:
        body["items"] = [
            {
                "type": one["type"],
                "about": one["subject"],
                "heard_by": ", ".join(one["subscribers"]) or "nobody here",
            }
            for one in body["items"]
        ]
    page(body, ["type", "about", "heard_by"], "There are no events.")


@events.command()
def describe(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Such as orders.order_created.v1.")],
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Tell when an event is published, who hears it, what is in it, and give an example.

    With --json its JSON Schema is there as well.

    Example: `events describe inventory.stock_reserved.v1`
    """
    schema = ask(url, api_key, "GET", f"{_TYPES}/{quote(type_, safe='')}")
    items = ask(url, api_key, "GET", _TYPES)["items"]
    one = next(item for item in items if item["type"] == type_)
    if as_json():
        document({**one, "schema": schema})
        return
    _tell(one)
    fields = [
        {
            "field": each.name,
            "type": each.type,
            "meaning": each.meaning + ("" if each.is_required else " May be missing."),
        }
        for each in members(schema)
    ]
    table(["field", "type", "meaning"], fields)
    if one["example"]:
        typer.echo(f"\nAn example:\n{json.dumps(one['example'], indent=2, ensure_ascii=False)}")


def _tell(one: dict[str, Any]) -> None:
    heard = ", ".join(one["subscribers"]) or "nobody here"
    typer.echo(f"{one['type']}\n{one['description']}\n")
    typer.echo(f"published by {one['context']}, heard by {heard}, about {one['subject']}")
    if one["older_versions"]:
        typer.echo(f"read as well: {', '.join(one['older_versions'])}")
    typer.echo()
