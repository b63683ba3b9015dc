"""The audit: what operators did, when, to what, and why."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import ask
from app.console.render import page
from app.console.words import absolute

KINDS = ("redrive", "discard", "replay", "fill", "pause", "resume", "unregister")

_FILTERS = ("action", "subscriber", "who")
_LIMIT = 50
_MOMENTS = ("_time", "since", "until")


async def show(request: Request) -> Response:
    """Show a page of actions, the newest first, those that meet the filters."""
    chosen = {name: request.query_params.get(name, "").strip() for name in _FILTERS}
    wanted: dict[str, Any] = {name: value for name, value in chosen.items() if value}
    cursor = request.query_params.get("cursor")
    found = await ask(
        request,
        "GET",
        "/v1/ops/actions",
        params={**wanted, "cursor": cursor, "limit": _LIMIT},
    )
    body = found.body if found.ok else {"items": [], "next_cursor": None}
    more = body["next_cursor"]
    return await page(
        request,
        "audit.html",
        status=found.status,
        actions=[{**one, "facts": _facts(one["detail"])} for one in body["items"]],
        problem=None if found.ok else found.body,
        chosen=chosen,
        kinds=KINDS,
        next_url=f"/console/audit?{urlencode({**wanted, 'cursor': more})}" if more else None,
        first_url=f"/console/audit?{urlencode(wanted)}" if cursor else None,
    )


def _facts(detail: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what an action was asked with, but for its reason, as names and values."""
    facts: list[tuple[str, Any]] = []
    for name, value in detail.items():
        if isinstance(value, dict):
            facts += _facts(value)
        elif name != "reason" and value not in (None, [], ""):
            facts.append((name, absolute(value) if name.endswith(_MOMENTS) else value))
    return facts
