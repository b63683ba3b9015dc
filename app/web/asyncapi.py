"""The events as an AsyncAPI document, and as a page that loads nothing from another host."""

import json
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response

from app.bus.asyncapi import ENVELOPE, asyncapi
from app.bus.catalogue import by_context, catalogue, kinds
from app.web.problems_page import prose
from app.web.state import Runtime, RuntimeDep

# A worker draws no page and imports no template engine.
if TYPE_CHECKING:
    from jinja2 import Template

_PAGES = Path(__file__).parent / "pages"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}

DESCRIPTION = """\
Every fact that Orderly tells, as it is on its Redis Streams: a CloudEvents 1.0 envelope with the \
event's data in it.

Each event is delivered to each of its subscribers; its effects there happen once, or it is a \
dead letter of that subscriber. A copy has the same `id`, so that other readers can pass over it. \
Events of one `subject` are first published in the order of their commits.

Whoever does not read from Redis pulls the same envelopes, in order and without a gap, by \
`GET /v1/events`."""


def document(runtime: Runtime, info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the AsyncAPI document of a running process."""
    types = catalogue(kinds(), runtime.subscribers)
    return asyncapi(
        types,
        runtime.subscribers,
        info={**info, "description": DESCRIPTION},
        address=runtime.stream.key,
    )


def install(app: FastAPI) -> None:
    """Serve `/asyncapi` and `/asyncapi.json`."""
    info = {"title": f"{app.title}: events", "version": app.version}

    @app.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi_json(runtime: RuntimeDep) -> Response:
        return JSONResponse(document(runtime, info))

    @app.get("/asyncapi", include_in_schema=False)
    async def asyncapi_page(runtime: RuntimeDep) -> Response:
        types = catalogue(kinds(), runtime.subscribers)
        shown = document(runtime, info)
        template = await anyio.to_thread.run_sync(_template)
        text = template.render(
            info=shown["info"],
            channels=shown["channels"],
            envelope=shown["components"]["schemas"][ENVELOPE],
            by_context=by_context(types),
        )
        return HTMLResponse(text, headers=_HEADERS)


@cache
def _template() -> "Template":
    """Return the page, compiled; reads files, so not on the event loop."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - see above
    from markupsafe import Markup  # noqa: PLC0415

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["json"] = partial(json.dumps, indent=2, ensure_ascii=False)
    # prose escapes what it is given.
    made.filters["prose"] = lambda text: Markup(prose(text))  # noqa: S704
    return made.from_string((_PAGES / "asyncapi.html").read_text())
