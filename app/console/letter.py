"""One dead letter: what failed and why, mended, tried without effect, run again or waived."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from secrets import token_urlsafe
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.asking import nothing_sent
from app.console.dead_letters import LIMIT, LIST, Asked
from app.console.forms import Form, form_of
from app.console.render import page
from app.console.words import pretty

_MOST_LINES = 3000
# The lines of a unified diff that name two files.
_NAMES = 2
_LETTERS = "/v1/ops/dead-letters"


class UnreadableError(ValueError):
    """What was typed is not JSON."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a comparison: `+` was put in, `-` taken out, ` ` stayed, `@` leaves lines out."""

    sign: str
    text: str


async def letter(request: Request) -> Response:
    """Show a letter."""
    return await page(request, "dead_letter.html", **await _context(request))


async def run(request: Request) -> Response:
    """Compare, dry-run or redrive, with the data as it was typed or as it is."""
    sent = await form_of(request)
    what, path = sent.get("what"), _path(request)
    try:
        data = _typed(sent)
    except UnreadableError as error:
        context = await _context(request, sent=sent, unreadable=str(error))
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return await page(request, "dead_letter.html", status=status, **context)
    if what == "compare":
        return await page(request, "dead_letter.html", **await _context(request, sent=sent))
    body: dict[str, Any] = {"dry_run": what != "redrive"}
    if data is not None:
        body["data"] = data
    answer = await ask(request, "POST", f"{path}/redrive", body=body)
    if answer.ok and what == "redrive":
        return _ran(request, answer.body)
    context = await _context(request, sent=sent, answer=answer)
    return await page(request, "dead_letter.html", status=answer.status, **context)


async def discard(request: Request) -> Response:
    """Waive a letter for a reason."""
    sent = await form_of(request)
    answer = await ask(
        request,
        "POST",
        f"{_path(request)}/discard",
        body={"reason": sent.get("reason", "")},
        headers={"Idempotency-Key": sent.get("key") or token_urlsafe(12)},
    )
    if answer.ok:
        return RedirectResponse(_here(request, done="discard"), HTTPStatus.SEE_OTHER)
    context = await _context(request, sent=sent, answer=answer)
    return await page(request, "dead_letter.html", status=answer.status, **context)


def diff(old: object, new: object) -> Sequence[DiffLine] | None:
    """Compare two JSON values line by line, three lines around each change.

    Empty when they are the same; None when they are too long to be compared while somebody waits.
    """
    before, after = pretty(old).splitlines(), pretty(new).splitlines()
    if before == after:
        return []
    if len(before) + len(after) > _MOST_LINES:
        return None
    return list(_diff_lines(before, after))


def _diff_lines(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffLine]:
    for line in islice(difflib.unified_diff(before, after, lineterm=""), _NAMES, None):
        if line.startswith("@@ -1,"):
            continue  # nothing is left out before the first line
        yield DiffLine(line[:1], "…" if line.startswith("@@") else line[1:])


def _typed(sent: Form) -> Any:  # noqa: ANN401 - JSON
    """Return the data in the form, None where it is as it was; raises UnreadableError."""
    text = sent.get("data")
    if not text or text == sent.get("was"):
        return None
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        msg = f"{error.msg}: line {error.lineno}, column {error.colno}."
        raise UnreadableError(msg) from error
    except (RecursionError, ValueError) as error:
        raise UnreadableError(str(error) or "It is nested too deeply.") from error


def _no_number(name: str) -> object:
    msg = f"{name} is no number in JSON."
    raise UnreadableError(msg)


def _once(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    """Return an object, unless one of its names would silently win over its twin."""
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{json.dumps(twice)} stands twice in one object."
        raise UnreadableError(msg)
    return named


def _path(request: Request) -> str:
    subscriber, event_id = request.path_params["subscriber"], request.path_params["event_id"]
    return f"{_LETTERS}/{segment(subscriber)}/{segment(event_id)}"


def _page_path(request: Request) -> str:
    subscriber, event_id = request.path_params["subscriber"], request.path_params["event_id"]
    return f"{LIST}/{segment(subscriber)}/{segment(event_id)}"


def _here(request: Request, **more: str) -> str:
    asked = Asked.of(request.query_params)
    return asked.link(_page_path(request), cursor=asked.cursor, **more)


def _ran(request: Request, ran: Mapping[str, Any]) -> Response:
    """Lead to what happened: to the action when it is done, back to the letter when it is not."""
    if ran["outcome"] == "handled":
        there = f"/console/actions/{ran['action']['id']}?done=handled"
        return RedirectResponse(there, HTTPStatus.SEE_OTHER)
    return RedirectResponse(_here(request, done=ran["outcome"]), HTTPStatus.SEE_OTHER)


async def _context(
    request: Request,
    *,
    sent: Form | None = None,
    answer: Answer | None = None,
    unreadable: str = "",
) -> Mapping[str, Any]:
    asked = Asked.of(request.query_params)
    found = (await ask(request, "GET", _path(request))).expect()
    page_of_list: dict[str, object] = asked.filters | {"limit": LIMIT}
    if asked.cursor:
        page_of_list["cursor"] = asked.cursor
    neighbours = await ask(request, "GET", _LETTERS, params=page_of_list)
    data = found["envelope"]["data"]
    typed = sent.get("data", "") if sent else ""
    refused = answer.body if answer and not answer.ok else None
    return {
        "asked": asked,
        "letter": found,
        "attributes": {name: one for name, one in found["envelope"].items() if name != "data"},
        "text": pretty(data),
        "typed": typed or pretty(data),
        "compared": _compared(data, typed, unreadable),
        "unreadable": unreadable,
        "problem": refused,
        "misfits": _misfits(refused),
        "dry": answer.body if answer and answer.ok and answer.body["dry_run"] else None,
        "attempts": found["attempts_made"],
        **_neighbours(neighbours, found, asked),
        "sent": sent or nothing_sent(),
        "done": request.query_params.get("done", ""),
        "path": _page_path(request),
        "back_url": asked.link(LIST, view="list", cursor=asked.cursor),
        "post_query": asked.link("", cursor=asked.cursor),
        "key": token_urlsafe(12),
    }


def _compared(data: object, typed: str, unreadable: str) -> Sequence[DiffLine] | None:
    return diff(data, json.loads(typed)) if typed and not unreadable else []


def _misfits(refused: Mapping[str, Any] | None) -> Sequence[Mapping[str, str]]:
    """Return what does not fit the event's schema, with pointers into the data."""
    listed: Sequence[Mapping[str, str]] = (refused or {}).get("errors") or ()
    return [
        {**one, "pointer": one["pointer"].removeprefix("/data")}
        for one in listed
        if one["location"] == "body" and one["pointer"].startswith("/data")
    ]


def _neighbours(
    listed: Answer, letter: Mapping[str, Any], asked: Asked
) -> Mapping[str, str | int | None]:
    """Return the letters before and after this one on its page of the list, newest first.

    They are found by order, so they are there also when this one is no longer dead.
    """
    letters = listed.body["items"] if listed.ok else []
    own = (letter["event_id"], letter["subscriber"])
    newer = [one for one in letters if (one["event_id"], one["subscriber"]) > own]
    older = [one for one in letters if (one["event_id"], one["subscriber"]) < own]
    following = listed.body["next_cursor"] if listed.ok else None
    more = asked.link(LIST, view="list", cursor=following) if following else None
    return {
        "newer_url": asked.letter(newer[-1]) if newer else None,
        "older_url": asked.letter(older[0]) if older else more,
    }
