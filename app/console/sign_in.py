"""Signing in with an API key, and out."""

from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.forms import form_of
from app.console.guard import require_viewer
from app.console.render import page
from app.errors import AppError
from app.web import sessions, state
from app.web.principal import (
    InsufficientScopeError,
    NotForCustomersError,
    UnauthenticatedError,
)

WRONG_KEY_S = 1.0
"""How long a wrong key is thought about, so that guessing is slow."""

# So many wrong keys are thought about at the same time; the others queue.
_GUESSES = anyio.Semaphore(4)


async def show(request: Request) -> Response:
    """Show the form; whoever needs none is led on."""
    try:
        await sessions.identify(request)
    except UnauthenticatedError:
        return await _form(request, _local(request.query_params.get("next")))
    return RedirectResponse(_local(request.query_params.get("next")), HTTPStatus.SEE_OTHER)


async def sign_in(request: Request) -> Response:
    """Begin a session for the holder of the key, and go on to the page that was wanted."""
    form = await form_of(request)
    goal, secret = _local(form.get("next")), form.get("key", "")
    if not secret:
        return await _form(request, goal, "Paste an API key to sign in.")
    ring = request.scope["state"]["key_ring"]
    try:
        who = await ring.owner(await state.database(request), secret)
        require_viewer(who)
        token = await sessions.begin(await state.database(request), who, secret)
    except UnauthenticatedError as error:
        async with _GUESSES:
            await anyio.sleep(WRONG_KEY_S)
        return await _form(request, goal, _kindly(error))
    except (InsufficientScopeError, NotForCustomersError) as error:
        return await _form(request, goal, error.detail)
    answer = RedirectResponse(goal, HTTPStatus.SEE_OTHER)
    if token is not None:
        answer.set_cookie(
            sessions.COOKIE,
            token,
            max_age=sessions.LIFETIME_S,
            path="/console",
            secure=_is_https(request),
            httponly=True,
            samesite="strict",
        )
    return answer


async def sign_out(request: Request) -> Response:
    """End the session, here and in every other process."""
    token = request.cookies.get(sessions.COOKIE)
    if token is not None:
        await sessions.end(await state.database(request), token)
    answer = RedirectResponse("/console/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(sessions.COOKIE, path="/console", httponly=True, samesite="strict")
    return answer


async def _form(request: Request, goal: str, trouble: str | None = None) -> Response:
    status = HTTPStatus.OK if trouble is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return await page(request, "sign-in.html", status=status, goal=goal, trouble=trouble)


def _kindly(error: AppError) -> str:
    """Say what is wrong with a key; that no such key exists is said with what to look at."""
    if "not one this server knows" not in error.detail:
        return error.detail
    return "This server does not know that key. Was all of it copied, and is it for this server?"


def _local(goal: str | None) -> str:
    """Return a page of the console to go to; the overview in place of anything else."""
    try:
        parts = urlsplit(goal or "")
    except ValueError:
        return "/console"
    path = parts.path
    inside = path == "/console" or path.startswith("/console/")
    plain = not any(letter in (goal or "") for letter in "\\\r\n\t") and ".." not in path
    if parts.scheme or parts.netloc or not inside or not plain:
        return "/console"
    if path.startswith(("/console/sign-", "/console/live/")):
        return "/console"
    return path + (f"?{parts.query}" if parts.query else "")


def _is_https(request: Request) -> bool:
    """Tell whether the browser speaks TLS, be it to a proxy: it says so in the form's origin."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
