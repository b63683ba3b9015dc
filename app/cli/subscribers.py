"""`subscribers`: who listens and how they stand; pause one and have it go on, over REST."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from app.cli.ask import HERE, ApiKey, Url, ask
from app.cli.figures import age, count, rate
from app.cli.replay import Subscriber
from app.cli.say import AsJson, document, sentence, table
from app.cli.status_view import state_of

_PATH = "/v1/ops/subscribers"

subscribers = typer.Typer(help="List subscribers, pause one, have it go on.")


@subscribers.command("list")
def list_(url: Url = HERE, api_key: ApiKey = None, as_json_: AsJson = False) -> None:
    """List subscribers: what they handle, what waits for them, and whether they are paused.

    Example: `subscribers list`
    """
    body = ask(url, api_key, "GET", _PATH)
    if as_json_:
        document(body)
        return
    columns = ["name", "streams", "handled", "lag", "pending", "oldest", "due", "dead", "state"]
    table(columns, map(_row, body["items"]))


@subscribers.command()
def pause(
    subscriber: Subscriber,
    reason: Annotated[str, typer.Option(help="Why; others who look are told.")],
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Have every process stop reading for a subscriber within two seconds; its events wait.

    Example: `subscribers pause inventory --reason "Stock is being counted"`
    """
    path = f"{_PATH}/{quote(subscriber, safe='')}/pause"
    done = ask(url, api_key, "POST", path, json={"reason": reason}, key=uuid4().hex)
    sentence(f"{subscriber} is paused; its events wait until `subscribers resume`.", done)


@subscribers.command()
def resume(
    subscriber: Subscriber,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Have a paused subscriber go on where it stopped.

    Example: `subscribers resume inventory`
    """
    path = f"{_PATH}/{quote(subscriber, safe='')}/resume"
    done = ask(url, api_key, "POST", path, json={}, key=uuid4().hex)
    sentence(f"{subscriber} goes on.", done)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one["name"],
        "streams": " ".join(one["streams"]),
        "handled": rate(one["handled_per_s"]),
        "lag": count(one["lag"]),
        "pending": count(one["pending"]),
        "oldest": age(one["oldest_age_s"]),
        "due": count(one["due"], capped=one["due_capped"]),
        "dead": count(one["dead"], capped=one["dead_capped"]),
        "state": state_of(one),
    }
