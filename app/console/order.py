"""One order: what it is, the way it took, what came of each request, and what may be done."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.asking import ask_all, nothing_sent, numbers, texts, whole
from app.console.chain import is_settled, standing, waterfalls
from app.console.forms import Form, form_of
from app.console.life import NODE_HEIGHT, NODE_WIDTH, life
from app.console.live import DONE as NO_MORE
from app.console.render import page, parts
from app.console.steps import Effect
from app.web.problem import NothingHereError

DONE = {
    "confirm": "The order is confirmed.",
    "extend": "The stock is held for longer.",
    "cancel": "The order is cancelled.",
    "fulfill": "The fulfillment is asked for: it is issued once inventory has let the units go.",
    "keep": "Inventory is asked whether the fulfillment can still stay.",
}
"""What a page says after a command, by the command."""

_MOST = 200
_TERMINAL = ("rejected", "cancelled", "expired", "fulfilled")


async def order(request: Request) -> Response:
    """Show an order."""
    return await page(request, "order.html", **await _context(request))


async def live(request: Request) -> dict[str, str]:
    """Give anew what changes while events are under way; the order's id is in `id`."""
    order_id = request.query_params.get("id")
    if not order_id:
        raise NothingHereError("The address does not say which order.")
    context = await _context(request, order_id)
    fragments = await parts(
        request,
        [
            ("order-head", "order_head.html"),
            ("order-life", "order_life.html"),
            ("order-lines", "order_lines.html"),
            ("order-actions", "order_actions.html"),
            ("order-steps", "order_steps.html"),
            ("order-chain", "chain_parts.html"),
        ],
        **context,
    )
    return fragments if context["is_live"] else {**fragments, NO_MORE: ""}


async def command(request: Request) -> Response:
    """Ask for something to happen to the version that was on the page."""
    order_id, name = request.path_params["order_id"], request.path_params["command"]
    if name not in DONE:
        raise NothingHereError("There is nothing to ask of an order by this name.")
    sent = await form_of(request)
    path, body = _asked_for(order_id, name, sent)
    answer = await ask(
        request,
        "POST",
        path,
        body=body,
        headers={
            "If-Match": f'"{sent.get("version")}"',
            "Idempotency-Key": sent.get("key") or token_urlsafe(12),
        },
    )
    if answer.ok:
        there = f"/console/orders/{segment(order_id)}?done={name}"
        return RedirectResponse(there, HTTPStatus.SEE_OTHER)
    context = await _context(request, refused=answer, command=name, sent=sent)
    return await page(request, "order.html", status=answer.status, **context)


def _asked_for(order_id: str, name: str, sent: Form) -> tuple[str, Mapping[str, Any]]:
    """Return the path and body of what a form asks for."""
    path = f"/v1/orders/{segment(order_id)}"
    if name == "extend":
        return f"{path}/extend", numbers(sent, "seconds")
    if name == "cancel":
        return f"{path}/cancel", texts(sent, "reason")
    if name == "fulfill":
        lines = [
            {"sku": sku, "quantity": whole(number)}
            for sku, number in zip(
                sent.many.get("sku", ()), sent.many.get("quantity", ()), strict=False
            )
            if number not in {"", "0"}
        ]
        return f"{path}/fulfillments", {
            **({"lines": lines} if "sku" in sent else {}),
            **texts(sent, "tracking"),
        }
    if name == "keep":
        return f"{path}/fulfillments/{segment(sent.get('fulfillment', ''))}/cancel", {}
    return f"{path}/confirm", {}


async def _context(
    request: Request,
    order_id: str | None = None,
    *,
    refused: Answer | None = None,
    command: str = "",
    sent: Form | None = None,
) -> Mapping[str, Any]:
    order_id = order_id or request.path_params["order_id"]
    path, whole = f"/v1/orders/{segment(order_id)}", {"limit": _MOST}
    answers = await ask_all(
        request,
        {
            "order": (path, {}),
            "timeline": (f"{path}/timeline", whole),
            "chain": ("/v1/ops/chains", {"subject": order_id}),
            "movements": ("/v1/inventory/movements", {"order_id": order_id, **whole}),
            "reservation": (f"/v1/inventory/reservations/{segment(order_id)}", {}),
        },
    )
    found = answers["order"].expect()
    history = answers["timeline"].expect()["items"]
    chain = answers["chain"].body if answers["chain"].ok else None
    settled = chain is None or is_settled(chain)
    return {
        "order": found,
        "order_id": order_id,
        "history": history,
        "life": life(found["status"], history),
        "node": (NODE_WIDTH, NODE_HEIGHT),
        "lines": [_line(one) for one in found["lines"]],
        "reservation": answers["reservation"].body if answers["reservation"].ok else None,
        "chain": chain,
        "chain_problem": None if answers["chain"].ok else answers["chain"].body,
        "waterfalls": waterfalls(chain, _effects(history, answers["movements"])) if chain else [],
        "standing": standing(chain) if chain else "",
        "is_live": not settled or found["status"] not in _TERMINAL,
        "problem": None if refused is None else refused.body,
        "is_stale": refused is not None and refused.status == HTTPStatus.PRECONDITION_FAILED,
        "command": command,
        "sent": sent or nothing_sent(),
        "done": DONE.get(request.query_params.get("done", "")),
        # Of the page as it was opened, so that what is live stays the same until something happens.
        "key": request.query_params.get("key") or token_urlsafe(12),
    }


def _line(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line with how many of its units nothing was asked for yet."""
    return {**line, "open": line["quantity"] - line["fulfilling"] - line["fulfilled"]}


def _effects(history: Sequence[Mapping[str, Any]], movements: Answer) -> list[Effect]:
    """Say in words what events did to the order and to stock."""
    effects = [
        Effect(one["event_id"], "orders", datetime.fromisoformat(one["at"]), _step(one))
        for one in history
        if one["event_id"]
    ]
    moved = reversed(movements.body["items"]) if movements.ok else []
    effects.extend(
        Effect(
            one["event_id"], "inventory", datetime.fromisoformat(one["created_at"]), _movement(one)
        )
        for one in moved
        if one["event_id"]
    )
    return effects


def _step(entry: Mapping[str, Any]) -> str:
    action = entry["action"].replace("_", " ")
    if entry["from_status"] == entry["to_status"]:
        return f"order: {action}"
    return f"order: {action}, so {entry['from_status']} becomes {entry['to_status']}"


def _movement(moved: Mapping[str, Any]) -> str:
    units = (
        f"{moved[f'{counter}_change']:+d} {counter.replace('_', ' ')}"
        for counter in ("on_hand", "reserved", "committed")
        if moved[f"{counter}_change"]
    )
    return f"stock of {moved['sku']} at {moved['location']}: {', '.join(units)} ({moved['kind']})"
