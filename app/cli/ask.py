"""One question to a running Orderly, for commands that need no more than its answer."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, TypeAlias

import anyio
import typer

from app.cli.rest import Answer, Rest, ServerError
from app.cli.say import Exit, complain
from app.errors import StartupError
from app.settings import load_settings

Url: TypeAlias = Annotated[str, typer.Option(help="Where Orderly runs.")]
ApiKey: TypeAlias = Annotated[
    str | None, typer.Option(envvar="APP_API_KEY", help="Key to send as a Bearer token.")
]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, max=200, help="Most lines to show.")]

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

    Ends the program after one sentence otherwise: with Exit.FAILED when the server refused the
    request, with Exit.UNUSABLE when there is no such server.
    """
    answer = asked(url, api_key, method, path, json=json, params=params, key=key)
    if not answer.ok:
        raise refused(answer)
    return answer.body


def asked(  # noqa: PLR0913 - as ask
    url: str,
    api_key: str | None,
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> Answer:
    """Return the answer, a refusal too; ends the program when there is no such server."""
    try:
        rest = connected(url, api_key)
        return anyio.run(partial(_exchange, rest, method, path, json=json, params=params, key=key))
    except ServerError as error:
        raise unreachable(error) from None


def connected(url: str, api_key: str | None, *, patience_s: float = _PATIENCE_S) -> Rest:
    """Return a client that sends the key given, or the one configured here.

    Raises ServerError as `Rest` does.
    """
    return Rest(url, key=api_key or configured_key(), connections=1, patience_s=patience_s)


def refused(answer: Answer) -> typer.Exit:
    """Say why the server refused a request; raise what is returned."""
    text = answer.detail or f"Refused: {answer.code}."
    complain(text, code=answer.code, problem=answer.body)
    return typer.Exit(Exit.FAILED)


def unreachable(error: ServerError) -> typer.Exit:
    """Say that no server answers, or none that lets us in; raise what is returned."""
    complain(str(error), code="no_server")
    return typer.Exit(Exit.UNUSABLE)


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
