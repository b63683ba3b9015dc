"""One subscriber: how it is, and what an operator can have it do."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.forms import Form, form_of
from app.console.render import page, parts
from app.console.streams import streams_of, with_state
from app.web.problem import NothingHereError

_PARTS = (("subscriber", "streams/subscriber_now.html"),)
_SAID = {
    "paused": "It is paused: every process stops reading for it within two seconds.",
    "resumed": "It goes on where it stopped.",
}


async def show(request: Request) -> Response:
    """Show a subscriber and its forms."""
    return await _page(request)


async def fragments(request: Request) -> dict[str, str]:
    """Return how it is now."""
    name = request.query_params.get("name", "")
    return await parts(request, _PARTS, **await _found(request, name))


async def pause(request: Request) -> Response:
    """Pause it for a reason."""
    form = await form_of(request)
    done = await _change(request, "pause", {"reason": form.get("reason", "")}, form)
    return await _after(request, done, "paused", form)


async def resume(request: Request) -> Response:
    """Have it go on."""
    form = await form_of(request)
    return await _after(request, await _change(request, "resume", {}, form), "resumed", form)


async def sure(request: Request) -> Response:
    """Say what a replay or a fill would do, before anybody does it."""
    name, what = request.path_params["name"], _what(request)
    given = dict(request.query_params)
    body = _body(what, name, given)
    looked = await ask(request, "POST", f"/v1/ops/{what}", body={**body, "dry_run": True})
    if not looked.ok:
        return await _page(request, status=looked.status, problem=looked.body, given=given)
    return await page(
        request,
        "streams/sure.html",
        name=name,
        what=what,
        body=body,
        given=given,
        total=looked.body["total"],
        once=secrets.token_urlsafe(16),
    )


async def start(request: Request) -> Response:
    """Replay or fill, and lead to how far it is."""
    name, what = request.path_params["name"], _what(request)
    form = await form_of(request)
    done = await ask(
        request,
        "POST",
        f"/v1/ops/{what}",
        body=_body(what, name, form),
        headers={"Idempotency-Key": form["once"]} if form.get("once") else None,
    )
    if not done.ok:
        return await _page(request, status=done.status, problem=done.body, given=form)
    return RedirectResponse(f"/console/actions/{done.body['id']}", HTTPStatus.SEE_OTHER)


def _what(request: Request) -> str:
    what: str = request.path_params["what"]
    if what not in {"replay", "fill"}:
        raise NothingHereError("There is no page at this address.")
    return what


def _body(what: str, name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return what REST is asked; times of the form are UTC."""
    if what == "fill":
        return {"subscriber": name}
    times = {"from_time": given.get("from"), "until_time": given.get("until")}
    return {"subscriber": name} | {key: _utc(text) for key, text in times.items() if text}


def _utc(text: str) -> str:
    """Return a time of a form as REST takes it; what is no time is REST's to refuse."""
    return text if text.endswith("Z") or "+" in text else f"{text}Z"


async def _change(request: Request, what: str, body: dict[str, Any], form: Form) -> Answer:
    name = request.path_params["name"]
    return await ask(
        request,
        "POST",
        f"/v1/ops/subscribers/{segment(name)}/{what}",
        body=body,
        headers={"Idempotency-Key": form["once"]} if form.get("once") else None,
    )


async def _after(request: Request, done: Answer, did: str, form: Form) -> Response:
    if not done.ok:
        return await _page(request, status=done.status, problem=done.body, given=form)
    name = segment(request.path_params["name"])
    return RedirectResponse(f"/console/streams/{name}?did={did}", HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    *,
    status: int = HTTPStatus.OK,
    problem: dict[str, Any] | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    found = await _found(request, request.path_params["name"])
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    return await page(
        request,
        "streams/subscriber.html",
        status=status,
        **found,
        problem=problem,
        given={"from": f"{an_hour_ago:%Y-%m-%dT%H:%M:%S}", "until": "", "reason": ""}
        | dict(given or {}),
        said=_SAID.get(request.query_params.get("did", "")),
        once=secrets.token_urlsafe(16),
    )


async def _found(request: Request, name: str) -> dict[str, Any]:
    """Ask for a subscriber, and its groups where the engine answers."""
    everybody = (await ask(request, "GET", "/v1/ops/subscribers")).expect()["items"]
    mine = next((one for one in everybody if one["name"] == name), None)
    if mine is None:
        msg = "No subscriber of this name has ever registered."
        raise NothingHereError(msg)
    streams = await streams_of(request)
    return {
        "one": with_state(mine),
        "groups": [
            {**group, "context": stream["context"]}
            for stream in (streams.body["items"] if streams.ok else [])
            for group in stream["groups"]
            if group["subscriber"] == name
        ],
        "engine_problem": None if streams.ok else streams.body,
    }
