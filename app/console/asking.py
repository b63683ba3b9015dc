"""What pages ask the REST API: several things at once, and what a form was filled in with."""

import re
from collections.abc import Mapping
from http import HTTPStatus

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask
from app.console.forms import Form

_NO_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


async def ask_all(
    request: Request, questions: Mapping[str, tuple[str, Mapping[str, object]]]
) -> dict[str, Answer]:
    """GET each (path, parameters) in the name of whoever is signed in; return answers by name."""
    answers: dict[str, Answer] = {}

    async def one(name: str, path: str, params: Mapping[str, object]) -> None:
        answers[name] = await ask(request, "GET", path, params=params)

    async with anyio.create_task_group() as group:
        for name, (path, params) in questions.items():
            group.start_soon(one, name, path, params)
    return answers


async def back(request: Request) -> Response:
    """Lead from where a form was sent to, asked for once more as an address, to its page."""
    there = request.url.path.rpartition("/")[0]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(there + query, HTTPStatus.SEE_OTHER)


def nothing_sent() -> Form:
    """Return a form that nobody filled in."""
    empty = Form()
    empty.many = {}
    return empty


def texts(sent: Form, *names: str) -> dict[str, str]:
    """Return those of these fields that were filled in, as members of a body."""
    return {name: sent[name] for name in names if sent.get(name)}


def numbers(sent: Form, *names: str) -> dict[str, int | str]:
    """Return the same of fields that hold whole numbers."""
    return {name: whole(value) for name, value in texts(sent, *names).items()}


def whole(text: str) -> int | str:
    """Return the number a text writes; what is none stays as it is, for the REST API to say so."""
    return int(text) if _WHOLE.fullmatch(text) else text


def utc(given: str) -> str:
    """Return the moment that a form's field names as the REST API reads it; forms are in UTC.

    What is no moment stays as it is, for the REST API to say so.
    """
    known = _NO_ZONE.fullmatch(given)
    if known is None:
        return given
    time, seconds = known[1], known[2]
    return given + ("T00:00:00Z" if time is None else "Z" if seconds else ":00Z")
