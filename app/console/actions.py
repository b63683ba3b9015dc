"""What an operator started: how far it is, and what is left of it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import segment
from app.console.asking import ask_all
from app.console.live import DONE
from app.console.render import page, parts

_LEFT = ("due", "dead", "discarded")
_MOST = 10
_MOST_EVENTS = 50


async def action(request: Request) -> Response:
    """Show an action, and those that were started with it."""
    ids = [request.path_params["action_id"], *request.query_params.getlist("and")]
    return await page(request, "action.html", **await _context(request, ids))


async def live(request: Request) -> dict[str, str]:
    """Give the progress anew; the actions are in `id`."""
    context = await _context(request, request.query_params.getlist("id"))
    fragments = await parts(request, [("action-progress", "action_progress.html")], **context)
    return fragments if context["is_under_way"] else {**fragments, DONE: ""}


async def _context(request: Request, ids: Sequence[str]) -> Mapping[str, Any]:
    shown = [await _shown(request, id_) for id_ in ids[:_MOST]]
    return {
        "actions": shown,
        "live_query": urlencode({"id": [one["id"] for one in shown]}, doseq=True),
        "is_under_way": any(one["due"] for one in shown),
        "done": request.query_params.get("done", ""),
    }


async def _shown(request: Request, id_: str) -> Mapping[str, Any]:
    path = f"/v1/ops/actions/{segment(id_)}"
    answers = await ask_all(
        request, {"action": (path, {}), "left": (f"{path}/deliveries", {"limit": _MOST_EVENTS})}
    )
    found = answers["action"].expect()
    left = answers["left"].expect()
    known = _named(found)
    is_whole = bool(known) and left["next_cursor"] is None
    return {
        **found,
        "left": {state: found[state] for state in _LEFT if found[state]},
        "bar": _bar(found),
        "deliveries": _results(known, left["items"]) if is_whole else left["items"],
        "is_whole": is_whole,
        "has_more": left["next_cursor"] is not None,
    }


def _named(action: Mapping[str, Any]) -> Sequence[str]:
    """Return the ids of the events that an action names one by one; none for one by filters."""
    if action["action"] != "redrive":
        return ()
    chosen: Sequence[str] = action["detail"].get("filter", {}).get("event_ids") or ()
    return chosen if len(chosen) <= _MOST_EVENTS else ()


def _results(known: Sequence[str], left: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a result for each event: what is no longer there has been handled."""
    gone = set(known) - {one["event_id"] for one in left}
    handled = {"state": "handled", "error_type": None, "attempts": None, "updated_at": None}
    return [*left, *({**handled, "event_id": one} for one in sorted(gone, reverse=True))]


def _bar(action: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the parts of the progress bar: a tone, and place and width in percent."""
    at, parts = 0.0, []
    for count, tone in (("done", "good"), ("dead", "bad"), ("discarded", "flat"), ("due", "wait")):
        width = action[count] * 100 / max(1, action["total"])
        parts.append({"tone": tone, "at": round(at, 3), "width": round(max(0.0, width), 3)})
        at += width
    return parts
