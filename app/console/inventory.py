"""Stock: what there is of everything, low stock first; and all that is known of one SKU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.asking import ask_all, nothing_sent, numbers, texts, whole
from app.console.forms import Form, form_of
from app.console.render import page
from app.web.problem import NothingHereError

LIST = "/console/inventory"
DONE = {
    "receive": "The goods are booked, and can be ordered.",
    "adjust": "The difference is booked.",
    "keep": "From now on the SKU is kept so.",
}
"""What a page says after a form, by its name."""

_LIMIT = 50
_LEVELS = "/v1/inventory/levels"
_HOLDING = ("held", "committed")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: what it stands for, how many units, and its place in percent."""

    kind: str
    units: int
    at: float
    width: float


def bar(level: Mapping[str, Any], safety_stock: int = 0) -> list[Part]:
    """Split what is on hand into committed, held, safety stock and what is left to promise."""
    free = max(0, level["on_hand"] - level["reserved"])
    kept_back = min(safety_stock, free)
    units = {
        "committed": level["committed"],
        "held": level["reserved"] - level["committed"],
        "safety": kept_back,
        "free": free - kept_back,
    }
    total, at, parts = max(1, level["on_hand"]), 0.0, []
    for kind, number in units.items():
        if number > 0:
            wide = min(100 - at, number * 100 / total)
            parts.append(Part(kind, number, round(at, 3), round(wide, 3)))
            at += wide
    return parts


async def inventory(request: Request) -> Response:
    """Show levels; without a filter those that run out first."""
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in ("sku", "location", "show")}
    cursor = query.get("cursor") or None
    params: dict[str, object] = {
        "sku_prefix": asked["sku"] or None,
        "location": asked["location"] or None,
        "low": "true" if asked["show"] == "low" else None,
        "sort": None if asked["show"] == "all" else "available",
        "limit": _LIMIT,
        "cursor": cursor,
    }
    answers = await ask_all(
        request,
        {
            "levels": (_LEVELS, params),
            "locations": ("/v1/inventory/locations", {"limit": 200}),
        },
    )
    levels = answers["levels"]
    found = levels.body["items"] if levels.ok else []
    available = await _available(request, [one["sku"] for one in found])
    here = {name: value for name, value in asked.items() if value}
    following = levels.body["next_cursor"] if levels.ok else None
    return await page(
        request,
        "inventory.html",
        status=levels.status,
        asked=asked,
        is_filtered=bool(here or cursor),
        levels=[_listed(one, available[one["sku"]]) for one in found],
        available_of=available,
        locations=answers["locations"].body["items"] if answers["locations"].ok else [],
        problem=None if levels.ok else levels.body,
        next_url=f"{LIST}?{urlencode({**here, 'cursor': following})}" if following else None,
        first_url=f"{LIST}?{urlencode(here)}" if cursor else None,
    )


async def _available(request: Request, skus: Sequence[str]) -> Mapping[str, int]:
    """Return what can be ordered of these SKUs, over all locations and without safety stock."""
    if not skus:
        return {}
    asked = {"sku": sorted(set(skus))}
    answer = await ask(request, "GET", "/v1/inventory/availability", params=asked)
    return {one["sku"]: one["available"] for one in answer.expect()["items"]}


def _listed(level: Mapping[str, Any], promised: int) -> Mapping[str, Any]:
    """Return a level with its bar; safety stock has a place in that where nothing lies elsewhere.

    promised is what can be ordered of its SKU.
    """
    kept_back = level["safety_stock"]
    is_all = max(0, level["available"] - kept_back) == promised
    is_low = promised <= level["low_stock_at"]
    return {**level, "bar": bar(level, kept_back if is_all else 0), "is_low": is_low}


async def item(request: Request) -> Response:
    """Show one SKU: where it lies, who holds it, and every change."""
    return await page(request, "item.html", **await _context(request))


async def book(request: Request) -> Response:
    """Receive goods, adjust what is on hand, or say how the SKU is kept."""
    sku, name = request.path_params["sku"], request.path_params["form"]
    if name not in DONE:
        raise NothingHereError("There is nothing to book by this name.")
    sent = await form_of(request)
    answer = await _book(request, sku, name, sent)
    if answer.ok:
        there = f"{LIST}/{segment(sku)}?done={name}"
        return RedirectResponse(there, HTTPStatus.SEE_OTHER)
    context = await _context(request, refused=answer, name=name, sent=sent)
    return await page(request, "item.html", status=answer.status, **context)


async def _book(request: Request, sku: str, name: str, sent: Form) -> Answer:
    """Ask the REST API for what a form says."""
    if name == "keep":
        version = sent.get("version")
        return await ask(
            request,
            "PUT",
            f"/v1/inventory/items/{segment(sku)}",
            body=numbers(sent, "safety_stock", "low_stock_at"),
            headers={"If-Match": f'"{version}"'} if version else {},
        )
    line: dict[str, object] = {"sku": sku}
    body: dict[str, object] = {"lines": [line], **texts(sent, "reference")}
    if name == "receive":
        path = "/v1/inventory/receipts"
        line["quantity"] = whole(sent.get("quantity", ""))
        body |= texts(sent, "location")
    else:
        path = "/v1/inventory/adjustments"
        line |= {"delta": whole(sent.get("delta", "")), **texts(sent, "location")}
        body["reason"] = sent.get("reason", "")
    key = sent.get("key") or token_urlsafe(12)
    return await ask(request, "POST", path, body=body, headers={"Idempotency-Key": key})


async def _context(
    request: Request, *, refused: Answer | None = None, name: str = "", sent: Form | None = None
) -> Mapping[str, Any]:
    sku, query = request.path_params["sku"], request.query_params
    answers = await ask_all(
        request,
        {
            "levels": (_LEVELS, {"sku": sku, "limit": 200}),
            "item": (f"/v1/inventory/items/{segment(sku)}", {}),
            "availability": ("/v1/inventory/availability", {"sku": sku}),
            "movements": (
                "/v1/inventory/movements",
                {"sku": sku, "limit": _LIMIT, "cursor": query.get("cursor") or None},
            ),
            "reservations": (
                "/v1/inventory/reservations",
                {
                    "sku": sku,
                    # Few can hold units of what a million orders had, so only who asks waits.
                    "state": _HOLDING if query.get("holding") else None,
                    "limit": 20,
                    "cursor": query.get("more") or None,
                },
            ),
            "product": (f"/v1/products/{segment(sku)}", {}),
            "locations": ("/v1/inventory/locations", {"limit": 200}),
        },
    )
    levels = answers["levels"].expect()["items"]
    kept = answers["item"].body if answers["item"].ok else {"safety_stock": 0, "low_stock_at": 0}
    movements, reservations = answers["movements"].expect(), answers["reservations"].expect()
    counters = ("on_hand", "reserved", "committed")
    total = {counter: sum(one[counter] for one in levels) for counter in counters}
    here = f"{LIST}/{segment(sku)}"
    return {
        "sku": sku,
        "product": answers["product"].body if answers["product"].ok else None,
        "levels": [{**one, "bar": bar(one)} for one in levels],
        "total": {**total, "bar": bar(total, kept["safety_stock"])},
        "available": answers["availability"].expect()["items"][0]["available"],
        "item": kept,
        "item_version": answers["item"].headers.get("etag", "").strip('"'),
        "locations": answers["locations"].body["items"] if answers["locations"].ok else [],
        "movements": movements["items"],
        "movements_url": _next(here, "cursor", movements["next_cursor"]),
        "reservations": [_reserved(one, sku) for one in reservations["items"]],
        "reservations_url": _next(
            here, "more", reservations["next_cursor"], holding=query.get("holding")
        ),
        "is_holding": bool(query.get("holding")),
        "is_later_page": bool(query.get("cursor") or query.get("more")),
        "problem": None if refused is None else refused.body,
        "form": name,
        "sent": sent or nothing_sent(),
        "done": DONE.get(query.get("done", "")),
        "key": token_urlsafe(12),
    }


def _next(here: str, name: str, cursor: str | None, **kept: str | None) -> str | None:
    if cursor is None:
        return None
    query = {other: value for other, value in kept.items() if value}
    return f"{here}?{urlencode({**query, name: cursor})}#{name}"


def _reserved(reservation: Mapping[str, Any], sku: str) -> Mapping[str, Any]:
    """Return a reservation with what it has of this SKU alone."""
    own: Sequence[Mapping[str, Any]] = [one for one in reservation["lines"] if one["sku"] == sku]
    return {
        **reservation,
        "units": sum(one["quantity"] for one in own),
        "issued": sum(one["issued"] for one in own),
        "places": ", ".join(sorted({one["location"] for one in own})),
    }
