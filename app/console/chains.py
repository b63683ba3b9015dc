"""A chain of events on a page of its own, by its correlation id."""

from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import ask, segment
from app.console.chain import standing, waterfalls
from app.console.render import page


async def chain(request: Request) -> Response:
    """Show what came of one request, whatever it was about."""
    correlation_id = request.path_params["correlation_id"]
    found = (await ask(request, "GET", f"/v1/ops/chains/{segment(correlation_id)}")).expect()
    return await page(
        request,
        "chain.html",
        chain=found,
        correlation_id=correlation_id,
        waterfalls=waterfalls(found, ()),
        standing=standing(found),
        subjects=list(dict.fromkeys(event["subject"] for event in found["events"])),
    )
