"""Who may see the console, and which changes come from its own pages."""

from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar

from starlette.requests import Request

from app.errors import AppError
from app.web import sessions
from app.web.auth import ForeignOriginError
from app.web.body import CHANGING
from app.web.principal import SCOPES, InsufficientScopeError, NotForCustomersError, Principal

SIGN_IN = "/console/sign-in"
SIGN_OUT = "/console/sign-out"

# Nobody signs in to read a style sheet, or to sign in.
_OPEN = (SIGN_IN, "/console/static/")


class ReadOnlyError(AppError):
    """The console was set to show and not to change: APP_CONSOLE is read-only."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    code: ClassVar[str] = "console_read_only"
    title: ClassVar[str] = "The console is read-only"
    remedy: ClassVar[str] = "Use the REST API, or start with APP_CONSOLE=on."


async def admit(request: Request, *, read_only: bool) -> None:
    """Let a request in, with who asks as its `state.principal`.

    Raises UnauthenticatedError, InsufficientScopeError, NotForCustomersError, RateLimitedError,
    ForeignOriginError for another site's form, and ReadOnlyError. In a read-only console nobody
    holds more than the scopes that read, so that no page can ask for a change.
    """
    path = request.url.path
    is_change = request.method in CHANGING
    if is_change:
        _require_same_origin(request)
    if path.startswith(_OPEN):
        return
    who = await sessions.identify(request)
    if path != SIGN_OUT:
        require_viewer(who)
    if read_only:
        if is_change and path != SIGN_OUT:
            raise ReadOnlyError("This console shows, and changes nothing.")
        reading = frozenset(one for one in SCOPES if one.endswith(":read") and not who.lacks([one]))
        who = replace(who, scopes=reading)
    request.state.principal = who


def require_viewer(who: Principal) -> None:
    """Raise InsufficientScopeError or NotForCustomersError for a key that may not see the pages."""
    if who.customer_id is not None:
        raise NotForCustomersError("A key that is bound to a customer opens no console.")
    if who.lacks(["ops:read"]):
        raise InsufficientScopeError("The console needs a key with the scope ops:read.", "ops:read")


def _require_same_origin(request: Request) -> None:
    """Refuse a change that no page of ours sent: the cookie alone does not prove that it was.

    The Gate has compared an Origin with our host by now; beside it, or without it, a browser says
    `Sec-Fetch-Site`.
    """
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin" or (site is None and "origin" in request.headers):
        return
    raise ForeignOriginError("This form was not sent by a page of this server.")
