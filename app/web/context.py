"""Where a request belongs: its correlation id and trace, in the log, in events and on the reply."""

import re
import time

import structlog
import uuid_utils
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bus.event import Context, child_traceparent, current_context
from app.web import observe, rate
from app.web.auth import IN_PROCESS
from app.web.failures import refusal_of
from app.web.heads import heads
from app.web.problem import instance, respond

# Of whatever is answered, refusals and files included, a browser shall guess no type.
_TYPED = (b"x-content-type-options", b"nosniff")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

log = structlog.get_logger(__name__)


class RequestContext:
    """ASGI middleware, outermost: gives each request its context, and the log one line for it.

    Whatever no handler expected becomes the answer of `refusal_of`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application inside the request's context, and say how it went.

        Raises only what came when the reply was already under way.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id, parent = _given(scope)
        span = observe.RequestSpan(scope, parent) if observe.is_traced(scope) else None
        context = Context(
            correlation_id=correlation_id,
            traceparent=child_traceparent(parent) if span is None else span.traceparent,
        )
        scope.setdefault("state", {})
        status: int | None = None

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = [*message.get("headers", ()), *rate.told(scope), *_told(context), _TYPED]
                message = {**message, "headers": headers}
            await send(message)

        began = time.perf_counter()
        token = current_context.set(context)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**context.log_fields)
        try:
            await self._app(scope, receive, marked)
        except Exception as error:
            refusal = refusal_of(error, scope["method"])
            if span is not None:
                span.failed(error, refusal)
            if status is not None:
                raise
            await respond(refusal, scope, receive, marked)
        finally:
            took_s = time.perf_counter() - began
            observe.count(scope, status, took_s)
            if span is not None:
                span.end(scope, status)
            is_quiet = scope["path"].startswith(observe.PROBES) or IN_PROCESS in scope
            write = log.debug if is_quiet else log.info
            write(
                "request",
                method=scope["method"],
                path=instance(scope),
                # None when the client left before there was an answer.
                status=status,
                duration_ms=round(took_s * 1000, 2),
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
        inner = {**scope, "method": "GET", "orderly.head": True}
        try:
            await self._app(inner, receive, without_body)
        finally:
            # Whoever asks afterwards which route it was asks the outer one.
            scope.update({name: inner[name] for name in ("fastapi", "route") if name in inner})


def _told(context: Context) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer that tell where the request belongs."""
    return [
        (b"x-correlation-id", context.correlation_id.encode()),
        (b"traceparent", (context.traceparent or "").encode()),
    ]


def _given(scope: Scope) -> tuple[str, str | None]:
    """Return the caller's correlation id, or a new one, and the caller's traceparent if any."""
    given = heads(scope)
    wanted = (*given.get(b"x-correlation-id", ()), *given.get(b"x-request-id", ()))
    texts = [value.decode("latin-1") for value in wanted]
    correlation_id = next(filter(_CORRELATION_ID.fullmatch, texts), None)
    # Two traceparents are none, says the W3C recommendation.
    parents = given.get(b"traceparent", ())
    parent = parents[0].decode("latin-1") if len(parents) == 1 else None
    # The text of a `new_id`, which costs six times as much as a UUID of the standard library.
    return correlation_id or str(uuid_utils.uuid7()), parent
