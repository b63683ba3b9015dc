"""Whatever no handler expected: told to the client as a problem, and to the log once."""

import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bus.errors import is_transient
from app.errors import AppError, OverloadedError
from app.web.problem import InternalError, UnavailableError, respond

log = structlog.get_logger(__name__)


class Failures:
    """ASGI middleware: whatever no handler expected becomes a 503 or a bare 500, logged once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; raise only when the reply was already under way."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            refusal = _expected(error, scope["method"])
            if started:
                raise
            await respond(refusal, scope, receive, send)


def _expected(error: Exception, method: str) -> AppError:
    """Log error, and choose what the client may know of it."""
    if isinstance(error, AppError):
        return error
    if is_transient(error):
        # The text of a database error ends in the statement's parameters, which are nobody's here.
        cause = getattr(error, "orig", None) or error
        sentence = f"{type(cause).__name__}: {cause}".splitlines()[0]
        log.warning("database cannot serve a request", trouble=sentence)
        if isinstance(error, PoolTimeoutError):
            msg = "No connection to the database became free in time."
            return OverloadedError(msg, headers={"Retry-After": "2"})
        detail = "Try again in a moment."
        if method not in {"GET", "HEAD"}:
            # An error while committing leaves open whether the commit happened.
            detail += (
                " Whether the change was made is unknown: sent again with the same "
                "Idempotency-Key, it is made once."
            )
        return UnavailableError(detail, headers={"Retry-After": "1"})
    log.error("request failed", exc_info=error)
    return InternalError("The failure is in the server's log under this correlation id.")
