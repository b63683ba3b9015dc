"""Where a request belongs: its correlation id and trace, in the log, in events and on the reply."""

import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bus.event import Context, child_traceparent, current_context, new_id
from app.web.problem import instance

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

log = structlog.get_logger(__name__)


class RequestContext:
    """ASGI middleware, outermost: gives each request its context, and the log one line for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application inside the request's context, and say how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = _context_of(scope)
        status: int | None = None
        added = [
            (b"x-correlation-id", context.correlation_id.encode()),
            (b"traceparent", (context.traceparent or "").encode()),
        ]

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        began = time.perf_counter()
        token = current_context.set(context)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**context.log_fields)
        try:
            await self._app(scope, receive, marked)
        finally:
            write = log.debug if scope["path"].startswith("/health/") else log.info
            write(
                "request",
                method=scope["method"],
                path=instance(scope),
                # None when the client left before there was an answer.
                status=status,
                duration_ms=round((time.perf_counter() - began) * 1000, 2),
            )
            # What the work bound, such as an order's id, ends with it.
            structlog.contextvars.clear_contextvars()
            current_context.reset(token)


class Head:
    """ASGI middleware: answers HEAD wherever GET is answered, with the same headers and no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a HEAD as the GET it stands for, and keep the body back."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A reply without an end has to know that nobody waits for it.
        await self._app({**scope, "method": "GET", "orderly.head": True}, receive, without_body)


def _context_of(scope: Scope) -> Context:
    """Read the caller's correlation id and trace; what is missing or malformed is made anew."""
    given: dict[bytes, list[str]] = {
        b"x-correlation-id": [],
        b"x-request-id": [],
        b"traceparent": [],
    }
    for name, value in scope["headers"]:
        if name in given:
            given[name].append(value.decode("latin-1"))
    wanted = [*given[b"x-correlation-id"], *given[b"x-request-id"]]
    correlation_id = next(filter(_CORRELATION_ID.fullmatch, wanted), None) or str(new_id())
    # Two traceparents are none, says the W3C recommendation.
    parent = given[b"traceparent"][0] if len(given[b"traceparent"]) == 1 else None
    return Context(correlation_id=correlation_id, traceparent=child_traceparent(parent))
