"""One question to a running Orderly, for commands that need no more than its answer."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, TypeAlias

import anyio
import typer

from app.cli.rest import Answer, Rest, ServerError
from app.errors import StartupError
from app.settings import load_settings

Url: TypeAlias = Annotated[str, typer.Option(help="Where Orderly runs.")]
ApiKey: TypeAlias = Annotated[
    str | None, typer.Option(envvar="APP_API_KEY", help="Key to send as a Bearer token.")
]

HERE = "http://127.0.0.1:8000"

_PATIENCE_S = 10.0


def ask(  # noqa: PLR0913 - what a request is made of
    url: str,
    api_key: str | None,
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Return the body of a 2xx answer.

    Ends the program after one sentence otherwise: with 1 when the server refused the request, with
    2 when there is no such server.
    """
    try:
        rest = Rest(url, key=api_key or configured_key(), connections=1, patience_s=_PATIENCE_S)
        answer = anyio.run(
            partial(_exchange, rest, method, path, json=json, params=params, key=key)
        )
    except ServerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if not answer.ok:
        typer.echo(answer.detail or f"Refused: {answer.code}.", err=True)
        raise typer.Exit(1)
    return answer.body


async def _exchange(rest: Rest, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401 - as `send` takes it
    async with rest:
        await rest.probe()
        return await rest.send(method, path, **more)


def given(**values: object) -> dict[str, Any]:
    """Return the values that were given on the command line."""
    return {name: value for name, value in values.items() if value is not None}


def configured_key() -> str | None:
    """Return the key that a server started here would have; its other settings do not matter."""
    try:
        return load_settings().key
    except StartupError:
        return None
