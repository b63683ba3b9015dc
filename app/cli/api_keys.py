"""`api-keys`: make, list, rotate and revoke API keys, over REST."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from app.cli.ask import HERE, ApiKey, Limit, Url, ask, given
from app.cli.say import AsJson, Exit, as_json, complain, document, page, sentence

_KEYS = "/v1/api-keys"
_DAY_S = 86_400

KeyId = Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")]

api_keys = typer.Typer(
    help="Make, list, rotate and revoke API keys. Needs a key with the scope keys."
)


@api_keys.command()
def create(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    name: Annotated[str, typer.Option(help="Who holds it, or what for.")],
    scope: Annotated[
        list[str], typer.Option(help="What it may do, such as orders:read; may be repeated.")
    ],
    customer: Annotated[str | None, typer.Option(help="Bind it to this customer's orders.")] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="End it after so many days.")
    ] = None,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="Requests per minute.")] = None,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """Make a key and print its secret, which is never shown again.

    The first key is made with APP_API_KEY, or by anybody on this machine while the server is open.

    Example: `api-keys create --name "web shop" --scope orders:read --scope orders:write`
    """
    body = given(
        name=name,
        scopes=scope,
        customer_id=customer,
        expires_in_s=None if expires_days is None else expires_days * _DAY_S,
        rate_limit=rate_limit,
    )
    _show(ask(url, api_key, "POST", _KEYS, json=body, key=uuid4().hex))


@api_keys.command("list")
def list_(
    limit: Limit = 50, url: Url = HERE, api_key: ApiKey = None, as_json_: AsJson = False
) -> None:
    """List keys, the newest first, those that ended included.

    Example: `api-keys list --limit 10`
    """
    body = ask(url, api_key, "GET", _KEYS, params={"limit": limit})
    if not as_json_:
        body["items"] = [one | {"scopes": " ".join(one["scopes"])} for one in body["items"]]
    columns = ["id", "name", "state", "scopes", "customer_id", "last_used_at", "expires_at"]
    page(body, columns, "There are no keys.")


@api_keys.command()
def rotate(
    key_id: KeyId,
    overlap_seconds: Annotated[
        int, typer.Option(min=0, help="How long the secret before works as well.")
    ] = 0,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """Give a key a new secret and print it; it is never shown again.

    Example: `api-keys rotate key_… --overlap-seconds 3600`
    """
    body = {"overlap_s": overlap_seconds}
    path = f"{_KEYS}/{quote(key_id, safe='')}/rotate"
    answer = ask(url, api_key, "POST", path, json=body, key=uuid4().hex)
    _show(answer)
    if not as_json_:
        until = answer["previous_secret_until"]
        ended = f"works until {until}" if until else "has ended"
        typer.echo(f"The secret before {ended}.", err=True)


@api_keys.command()
def revoke(
    key_id: KeyId,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """End a key for good.

    Example: `api-keys revoke key_…`
    """
    ended = ask(url, api_key, "DELETE", f"{_KEYS}/{quote(key_id, safe='')}")
    sentence(f"{key_id} is revoked.", ended)


def _show(answer: dict[str, Any]) -> None:
    """Print the secret alone on standard output, so that a script can take it from there."""
    if answer["secret"] is None:
        # The first answer was lost on the way, and `ask` sent the request again.
        lost = f"{answer['id']} is made, but its secret was lost: rotate it."
        complain(lost, code="secret_lost", problem={"id": answer["id"]})
        raise typer.Exit(Exit.FAILED)
    if as_json():
        document(answer)
        return
    typer.echo(
        f"{answer['id']} ({answer['name']}): keep the secret, it is not shown again.", err=True
    )
    typer.echo(answer["secret"])
