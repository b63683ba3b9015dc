"""The overview: how events flow at this moment, and what keeps them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import ask
from app.console.drawing import tall, wide
from app.console.headline import Flow, headline
from app.console.picture import picture
from app.console.render import page, parts

_PARTS = (
    ("headline", "overview/headline.html"),
    ("flow", "overview/flow.html"),
    ("trends", "overview/trends.html"),
    ("loops", "overview/loops.html"),
    ("facts", "overview/facts.html"),
)


async def show(request: Request) -> Response:
    """Show the whole flow."""
    return await page(request, "overview.html", **await _found(request))


async def fragments(request: Request) -> dict[str, str]:
    """Return the parts of the page that change by themselves."""
    return await parts(request, _PARTS, **await _found(request))


async def _found(request: Request) -> dict[str, Any]:
    """Ask once, and draw what was answered."""
    flow = (await ask(request, "GET", "/v1/ops/flow")).expect()
    seen = picture(flow)
    return {
        "flow": flow,
        "headline": headline(flow),
        "picture": seen,
        "wide": wide(seen),
        "tall": tall(seen),
        "troubled": _troubled(flow),
        "warnings": _warnings(flow),
    }


def _troubled(flow: Flow) -> dict[tuple[str, str], list[str]]:
    """Return the loops that do not run by state and trouble, but for those that are paused."""
    paused = {one["name"] for one in flow["subscribers"] if one["paused"]}
    troubled: dict[tuple[str, str], list[str]] = {}
    for loop in flow["loops"]:
        if loop["state"] != "running" and loop["name"].partition(":")[2] not in paused:
            trouble = loop["trouble"] or "It gives no sign of life."
            troubled.setdefault((loop["state"], trouble), []).append(loop["name"])
    return troubled


def _warnings(flow: Flow) -> list[str]:
    """Return what to look at, but for what is said of the loops themselves."""
    names = tuple(f"{loop['name']} is " for loop in flow["loops"])
    return [warning for warning in flow["warnings"] if not warning.startswith(names)]
