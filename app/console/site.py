"""The console as one ASGI application, and its refusals as pages."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from app.console.ask import RefusedError
from app.console.guard import SIGN_IN, admit
from app.console.render import page
from app.console.router import ROUTES
from app.errors import AppError
from app.settings import Settings
from app.web.failures import refusal_of
from app.web.problem import MethodNotAllowedError, NothingHereError

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: with it, browsers call the origin of our own forms "null".
    "Referrer-Policy": "same-origin",
}


def install(app: FastAPI, settings: Settings) -> None:
    """Serve the console at `/console` and below; it is in no OpenAPI document."""
    site = Console(settings)
    app.router.routes.append(Route("/console", site, include_in_schema=False))
    app.mount("/console", site)


class Console:
    """ASGI application: lets people in, runs their page, and draws refusals as pages."""

    def __init__(self, settings: Settings) -> None:
        self._router = Router(ROUTES, redirect_slashes=False)
        self._read_only = settings.console == "read-only"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a page, whatever becomes of it."""
        # Our routes have whole paths, and refusals are ours to draw.
        ours = {"root_path": "", "path_params": {}, "starlette.exception_handlers": ({}, {})}
        scope = {**scope, **ours}
        request = Request(scope, receive)
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await admit(request, read_only=self._read_only)
            await self._router(scope, receive, guarded)
        except Exception as error:
            if started:
                raise
            response = await refused(request, error)
            await response(scope, receive, guarded)


async def refused(request: Request, error: Exception) -> Response:
    """Draw what a request was refused with; who is not signed in is led to where that is done."""
    if isinstance(error, RefusedError):
        answer = error.answer
        status, problem, headers = answer.status, answer.body or {}, dict(answer.headers)
    else:
        refusal = _refusal(request, error)
        status, problem, headers = int(refusal.status), problem_of(refusal), refusal.headers
    if status == HTTPStatus.UNAUTHORIZED and not request.url.path.startswith("/console/live/"):
        return RedirectResponse(_sign_in_for(request), HTTPStatus.SEE_OTHER)
    drawn = await page(request, "error.html", status=status, problem=problem, number=status)
    for name in ("retry-after", "allow"):
        found = next((headers[one] for one in headers if one.lower() == name), None)
        if found is not None:
            drawn.headers[name] = found
    return drawn


def problem_of(error: AppError) -> dict[str, Any]:
    """Return what `ui.problem` draws of a refusal of our own."""
    return {
        **error.extra,
        "status": int(error.status),
        "title": error.title,
        "detail": error.detail,
        "code": error.code,
        "retryable": error.retryable,
    }


def _refusal(request: Request, error: Exception) -> AppError:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        msg = f"{request.method} is not possible here."
        return MethodNotAllowedError(msg, headers=error.headers)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return NothingHereError("There is no page at this address.")
    if isinstance(error, HTTPException) and isinstance(error.__cause__, AppError):
        return error.__cause__
    return refusal_of(error, request.method)


def _sign_in_for(request: Request) -> str:
    """Return where to sign in, and come back from to the page that was wanted."""
    if request.method != "GET" or request.url.path == "/console":
        return SIGN_IN
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{SIGN_IN}?{urlencode({'next': wanted})}"
