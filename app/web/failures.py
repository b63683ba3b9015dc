"""Whatever no handler expected: told to the client as a problem, and to the log once."""

import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.requests import ClientDisconnect

from app.bus.errors import is_transient
from app.errors import AppError, OverloadedError
from app.web.problem import InternalError, MalformedJsonError, UnavailableError

log = structlog.get_logger(__name__)


def refusal_of(error: Exception, method: str) -> AppError:
    """Return what the client may know of an error that no handler expected, logged here.

    A 503 when the same request can succeed in a moment, else a bare 500.
    """
    if isinstance(error, AppError):
        return error
    if isinstance(error, ClientDisconnect):
        # Told to nobody, and a failure of nobody here.
        return MalformedJsonError("The body ended before all of it was there.")
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
