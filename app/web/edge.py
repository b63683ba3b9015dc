"""What every request passes before it comes to its route."""

from starlette.middleware import Middleware

from app.settings import Settings
from app.web.auth import Gate
from app.web.body import BodyLimit
from app.web.context import Head, RequestContext
from app.web.deadline import Deadline
from app.web.table import RouteTable


def edge(settings: Settings) -> list[Middleware]:
    """Return the middleware of an application, the outermost first."""
    return [
        Middleware(RequestContext),
        Middleware(Head),
        Middleware(Deadline, timeout_s=settings.request_timeout_s),
        Middleware(Gate, key=settings.key, per_minute=settings.rate_limit),
        Middleware(BodyLimit, most_bytes=settings.body_limit_bytes),
        Middleware(RouteTable),
    ]
