"""The API's documentation as a page that loads nothing from another host."""

import mimetypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import anyio
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

# Addresses are relative, so that the page also works below a prefix of some proxy.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orderly API</title>
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<link rel="icon" href="docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>Without JavaScript, read <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# A file of its own, so that the page can forbid inline scripts. Without validatorUrl the page
# would show a badge from another host.
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def _assets() -> Path:
    """Return the directory of Swagger UI's files; its package is found but never imported."""
    spec = find_spec("fastapi_swagger")
    if spec is None or spec.origin is None:
        msg = "the package fastapi-swagger is not installed: install requirements.lock"
        raise ModuleNotFoundError(msg)
    return Path(spec.origin).parent / "resources"


_ASSETS = _assets()


@cache
def _style() -> str:
    """Return what the pages of our own look like; reads a file, so not on the event loop."""
    return (Path(__file__).parent / "pages" / "page.css").read_text()


# Systems disagree on what .js is, and a browser runs only what it is told is a script.
mimetypes.add_type("text/javascript", ".js")


def install(app: FastAPI, *, home: str = "docs") -> None:
    """Serve `/docs`, and lead `/` home. The app itself must be made with `docs_url=None`."""

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse(home)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @app.get("/docs/page.css", include_in_schema=False)
    async def style() -> Response:
        text = await anyio.to_thread.run_sync(_style)
        return Response(text, media_type="text/css")

    app.mount("/docs/assets", StaticFiles(directory=_ASSETS, check_dir=False))
