"""Templates: compiled once, off the event loop, and rendered with what every page needs."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.console import words
from app.settings import VERSION
from app.web.principal import OPEN, Principal

# A worker draws no page and imports no template engine.
if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


@functools.cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """Return the content and version of each static file; reads them the first time."""
    return {
        path.name: (content, hashlib.sha256(content).hexdigest()[:12])
        for path in sorted((_HERE / "static").iterdir())
        if path.suffix in _MEDIA_TYPES
        for content in [path.read_bytes()]
    }


def asset(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    return f"/console/static/{static_files()[name][1]}/{name}"


async def static(request: Request) -> Response:
    """Serve a static file; what was asked for by an older version may not be kept."""
    files = await anyio.to_thread.run_sync(static_files)
    name = request.path_params["name"]
    if name not in files:
        return Response("There is no such file.", 404, media_type="text/plain")
    content, version = files[name]
    is_same = request.path_params["version"] == version
    return Response(
        content,
        media_type=_MEDIA_TYPES[Path(name).suffix],
        headers={"Cache-Control": _FOREVER if is_same else "no-cache"},
    )


@functools.cache
def environment() -> "Environment":
    """Compile every template and read the static files: a fraction of a second, in a thread."""
    static_files()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # see above

    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(words.FILTERS)
    made.globals.update(asset=asset, version=VERSION)
    made.globals["ui"] = made.get_template("ui.html").module
    for name in made.list_templates():
        made.get_template(name)
    return made


async def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:  # noqa: ANN401 - what the template takes
    """Render a template as a page, with `every` page's context besides its own."""
    found = await anyio.to_thread.run_sync(environment) if not _is_ready() else environment()
    text = found.get_template(template).render(**every(request), **context)
    return HTMLResponse(text.encode(errors="replace"), status)


async def parts(
    request: Request,
    templates: Iterable[tuple[str, str]],
    **context: Any,  # noqa: ANN401 - what the templates take
) -> dict[str, str]:
    """Render templates that are parts of a page, by the id of the element each one is."""
    found = await anyio.to_thread.run_sync(environment) if not _is_ready() else environment()
    known = {**every(request), **context}
    return {target: found.get_template(name).render(**known) for target, name in templates}


def _is_ready() -> bool:
    return environment.cache_info().currsize > 0


def every(request: Request) -> dict[str, Any]:
    """Return what every template may use.

    `may(scope)` tells whether to draw what needs a scope; `here` is the path of the page.
    """
    who: Principal | None = getattr(request.state, "principal", None)
    return {
        "principal": who,
        "may": lambda scope: who is not None and not who.lacks([scope]),
        "is_open": who is not None and who.name == OPEN.name,
        "read_only": request.app.state.settings.console == "read-only",
        "here": request.url.path,
        "query": request.query_params,
        "theme": _theme(request),
        "made_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _theme(request: Request) -> str:
    chosen = request.cookies.get("orderly_theme")
    return chosen if chosen in {"light", "dark"} else "system"
