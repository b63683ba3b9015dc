"""What a request leaves for those who watch: a count, how long it took, and a span where asked."""

from opentelemetry import context as contexts, trace
from opentelemetry.trace import SpanKind
from starlette.types import Scope

from app import metrics
from app.bus import tracing
from app.errors import AppError

UNMATCHED = "unmatched"

# Any client can make up a method, and each would be a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "_OTHER"

PROBES = ("/health/", "/metrics")
"""Asked every few seconds by machines, and no part of anybody's trace."""

_SERVER_ERROR = 500

_tracer = trace.get_tracer("orderly.web")


def route_of(scope: Scope) -> str:
    """Return the template of the route that answered, never the path that was asked for."""
    inclusion = scope.get("fastapi", {}).get("effective_route_context")
    found = getattr(inclusion, "path_format", None) or getattr(scope.get("route"), "path", None)
    if found is None and "app_root_path" in scope:
        # What is mounted, such as files, is one of a few, whatever is asked of it.
        return f"{scope['root_path'].removeprefix(scope['app_root_path'])}/*"
    if found is None and "endpoint" in scope and not scope.get("path_params"):
        # A plain route, without a template: its path is what it is called.
        found = scope["path"]
    return found or UNMATCHED


def count(scope: Scope, status: int | None, seconds: float) -> None:
    """Count a request that is over."""
    method, route = _method(scope), route_of(scope)
    metrics.REQUESTS.add(1, method, route, "none" if status is None else str(status))
    metrics.REQUEST_DURATION.see(seconds, method, route)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else _OTHER


def is_traced(scope: Scope) -> bool:
    """Tell whether a request gets a span."""
    return tracing.switch.on and not scope["path"].startswith(PROBES)


class RequestSpan:
    """The span of a request, child of the caller's; what happens meanwhile is its own.

    Neither query string nor headers are part of it: they may hold what is nobody else's.
    """

    def __init__(self, scope: Scope, parent: str | None) -> None:
        # One that this process sends itself has no header, and a span to belong to.
        known = None if parent is None else tracing.remote(parent)
        self._span = _tracer.start_span(
            _method(scope),
            context=known,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": _method(scope),
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "network.protocol.version": scope["http_version"],
            },
        )
        self._token = contexts.attach(trace.set_span_in_context(self._span))
        self.traceparent = tracing.traceparent_of(self._span)

    def failed(self, error: Exception, refusal: AppError) -> None:
        """Note what no handler expected, where it is not the client's own doing."""
        if refusal.status >= _SERVER_ERROR:
            tracing.failed(self._span, type(error).__name__, str(error))

    def end(self, scope: Scope, status: int | None) -> None:
        """End with the answer, None when the client left before there was one."""
        route = route_of(scope)
        if route != UNMATCHED:
            self._span.update_name(f"{_method(scope)} {route}")
            self._span.set_attribute("http.route", route)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
            if status >= _SERVER_ERROR:
                self._span.set_status(trace.StatusCode.ERROR)
        contexts.detach(self._token)
        self._span.end()
