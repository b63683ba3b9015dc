"""Orders: found by id, reference, customer or SKU, and listed, the newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.asking import ask_all, utc
from app.console.render import page, parts

LIST = "/console/orders"
STATUSES = ("pending", "reserved", "confirmed", "fulfilled", "rejected", "expired", "cancelled")
FIELDS = {"reference": "reference", "customer": "customer_id", "sku": "sku"}
"""What a search can be about, and the REST API's name of it; the likeliest first."""

_LIMIT = 50
_ORDER_ID = "ord_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody looks for. With no `about`, `words` may be any of `FIELDS`."""

    words: str
    about: str
    statuses: Sequence[str]
    since: str
    until: str
    cursor: str

    @classmethod
    def of(cls, query: QueryParams) -> "Asked":
        """Read the search form; `sku:MUG` says in the box what it is about."""
        words, about = query.get("q", "").strip(), query.get("in", "")
        prefix, colon, rest = words.partition(":")
        if colon and not about and prefix.lower() in FIELDS:
            words, about = rest.strip(), prefix.lower()
        return cls(
            words=words,
            about=about if about in FIELDS else "",
            statuses=[one for one in query.getlist("status") if one],
            since=query.get("from", "").strip(),
            until=query.get("to", "").strip(),
            cursor=query.get("cursor", ""),
        )

    @property
    def is_filtered(self) -> bool:
        """True when not simply the newest orders are wanted."""
        return bool(self.words or self.statuses or self.since or self.until or self.cursor)

    def params(self, about: str = "") -> dict[str, object]:
        """Return the parameters of `GET /v1/orders`."""
        wanted: dict[str, object] = {"limit": _LIMIT, "status": list(self.statuses)}
        if self.words and about:
            wanted[FIELDS[about]] = self.words
        for name, given in (("created_from", self.since), ("created_to", self.until)):
            if given:
                wanted[name] = utc(given)
        if self.cursor:
            wanted["cursor"] = self.cursor
        return wanted

    def link(self, **changes: object) -> str:
        """Return the address of this search with some of it changed; a cursor does not stay."""
        now: dict[str, object] = {
            "q": self.words,
            "in": self.about,
            "status": list(self.statuses),
            "from": self.since,
            "to": self.until,
        }
        kept = {name: value for name, value in (now | changes).items() if value}
        return f"{LIST}?{urlencode(kept, doseq=True)}" if kept else LIST


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: the page of orders, what the words were taken for, and what else they are."""

    answer: Answer
    about: str = ""
    others: Sequence[str] = field(default=())


async def orders(request: Request) -> Response:
    """Show the list; what names exactly one order leads there."""
    asked = Asked.of(request.query_params)
    if asked.words.startswith(_ORDER_ID) and not asked.about:
        return await _by_id(request, asked)
    found = await _find(request, asked)
    items = found.answer.body["items"] if found.answer.ok else []
    only = asked.words and found.about == "reference" and not asked.statuses and not asked.cursor
    if only and len(items) == 1:
        return _to(items[0]["id"])
    context = {**_context(asked, found), "stuck": await _stuck(request, asked)}
    return await page(request, "orders.html", status=found.answer.status, **context)


async def live(request: Request) -> dict[str, str]:
    """Give the newest orders anew."""
    asked = Asked.of(QueryParams())
    found = await _find(request, asked)
    found.answer.expect()
    context = _context(asked, found)
    return await parts(request, [("order-list", "orders_list.html")], **context)


def _to(order_id: str) -> Response:
    return RedirectResponse(f"{LIST}/{segment(order_id)}", HTTPStatus.SEE_OTHER)


async def _by_id(request: Request, asked: Asked) -> Response:
    answer = await ask(request, "GET", f"/v1/orders/{segment(asked.words)}")
    if answer.ok:
        return _to(asked.words)
    found = Found(answer if answer.status != HTTPStatus.NOT_FOUND else _nothing(), "id")
    context = {**_context(asked, found), "stuck": ()}
    return await page(request, "orders.html", status=found.answer.status, **context)


def _nothing() -> Answer:
    return Answer(HTTPStatus.OK, {"items": [], "next_cursor": None}, {})


async def _find(request: Request, asked: Asked) -> Found:
    if asked.about or not asked.words:
        return Found(
            await ask(request, "GET", "/v1/orders", params=asked.params(asked.about)), asked.about
        )
    answers = await ask_all(request, {one: ("/v1/orders", asked.params(one)) for one in FIELDS})
    # What cannot be a SKU at all is refused as one, and may still be somebody's name.
    hits = [one for one in FIELDS if answers[one].ok and answers[one].body["items"]]
    if hits:
        return Found(answers[hits[0]], hits[0], hits[1:])
    return Found(next((answers[one] for one in FIELDS if answers[one].ok), answers["customer"]))


def _context(asked: Asked, found: Found) -> Mapping[str, Any]:
    items = found.answer.body["items"] if found.answer.ok else []
    cursor = found.answer.body["next_cursor"] if found.answer.ok else None
    # Pages after the first keep to what the words were taken for: a cursor fits no other list.
    about = found.about if found.about in FIELDS else asked.about
    return {
        "asked": asked,
        "about": found.about,
        "others": {one: asked.link(**{"in": one}) for one in found.others},
        "problem": None if found.answer.ok else found.answer.body,
        "orders": items,
        "statuses": STATUSES,
        "next_url": asked.link(cursor=cursor, **{"in": about}) if cursor else None,
        "first_url": asked.link() if asked.cursor else None,
    }


async def _stuck(request: Request, asked: Asked) -> Sequence[Mapping[str, Any]]:
    """Return a few orders that wait for longer than they should, where they belong: on the top."""
    if asked.is_filtered or request.state.principal.lacks(["ops:read"]):
        return []
    answer = await ask(request, "GET", "/v1/ops/sagas", params={"limit": 5})
    return answer.body["items"] if answer.ok else []
