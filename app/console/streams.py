"""Streams and subscribers: who reads what, how far everybody is, and who stands still."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import Answer, ask
from app.console.headline import stands_still
from app.console.render import page, parts

_PARTS = (
    ("subscribers", "streams/subscribers.html"),
    ("streams", "streams/streams.html"),
)


async def show(request: Request) -> Response:
    """Show every subscriber and every stream."""
    return await page(request, "streams.html", **await _found(request))


async def fragments(request: Request) -> dict[str, str]:
    """Return both lists as they are now."""
    return await parts(request, _PARTS, **await _found(request))


async def _found(request: Request) -> dict[str, Any]:
    subscribers = (await ask(request, "GET", "/v1/ops/subscribers")).expect()["items"]
    streams = await streams_of(request)
    return {
        "subscribers": [with_state(one) for one in subscribers],
        "streams": streams.body["items"] if streams.ok else [],
        "problem": None if streams.ok else streams.body,
    }


async def streams_of(request: Request) -> Answer:
    """Ask for the streams; refused while the engine does not answer, which a page outlives."""
    return await ask(request, "GET", "/v1/ops/streams")


def with_state(subscriber: dict[str, Any]) -> dict[str, Any]:
    """Return a subscriber with one word for how it is."""
    if subscriber["paused"]:
        state = "paused"
    elif subscriber["pending"] is None:
        state = "away"
    elif stands_still(subscriber):
        state = "stands still"
    else:
        state = "held back" if subscriber["held_back"] else "running"
    return {**subscriber, "state": state}
