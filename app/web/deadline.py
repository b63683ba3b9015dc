"""How long a request may take, until its answer begins; and what a stop makes of half-sent ones."""

import asyncio
import math
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import anyio
import anyio.lowlevel
from anyio.abc import AsyncBackend
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.body import CHANGING
from app.web.heads import heads

LONGEST_WAIT_S = 30
"""What `Prefer: wait=N` can ask for, in seconds."""

_WAIT = re.compile(rb"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})", re.IGNORECASE)

# How often somebody looks: so soon a request that waits for its body hears of a stop.
_LOOK_EVERY_S = 0.25


class DeadlineExceededError(AppError):
    """The request took longer than one may here, and was given up."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "deadline_exceeded"
    title: ClassVar[str] = "It took too long"
    remedy: ClassVar[str] = (
        "Send it again after Retry-After; a POST with the Idempotency-Key it had, because whether "
        "the change was made may be unknown."
    )
    retryable: ClassVar[bool] = True


class BodyTimeoutError(AppError):
    """The body did not arrive in the time a request may take; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.REQUEST_TIMEOUT
    code: ClassVar[str] = "body_timeout"
    title: ClassVar[str] = "The body did not arrive in time"
    remedy: ClassVar[str] = "Send it again, in one go, on a new connection."
    retryable: ClassVar[bool] = True


class StoppingError(AppError):
    """The process stops, and this request's body had not arrived; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "stopping"
    title: ClassVar[str] = "This process stops"
    remedy: ClassVar[str] = "Send it again: to another process, or to this one once it is back."
    retryable: ClassVar[bool] = True


@dataclass(eq=False, slots=True)
class _Work:
    """A request that has no answer yet, and the moment by which it needs one."""

    scope: Scope
    until: float
    cut: anyio.CancelScope
    is_reading: bool = False
    is_late: bool = False


class Deadline:
    """ASGI middleware: gives up a request whose answer has not begun in time.

    Work in a transaction is rolled back; a commit is never cut short, so what was at it may have
    been made, as with any 503. An answer that has begun, such as a stream, takes as long as it
    takes, and what `Prefer: wait=N` asks for is added. A body that is still on its way at a stop
    is not waited for.
    """

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._underway: dict[_Work, None] = {}
        # One timer for all: one for each request costs more than all else that is done here.
        self._timer: asyncio.TimerHandle | None = None
        self._due = -math.inf
        self._backend: type[AsyncBackend] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application until the deadline, and answer in its place after it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time()
        work = _Work(scope, now + self._timeout_s + wait_s(scope), self._scope())
        started, whole = False, scope["method"] not in CHANGING

        async def receiving() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            work.is_reading = True
            part = await receive()
            work.is_reading = False
            whole = not part.get("more_body", False)
            return part

        async def sending(message: Message) -> None:
            nonlocal started
            if not started:
                if work.cut.cancel_called:
                    # Given up already, so that what follows could be cut short: no half answers.
                    await anyio.lowlevel.checkpoint()
                if message["type"] == "http.response.start":
                    started = True
                    self._underway.pop(work, None)
            await send(message)

        self._underway[work] = None
        # One that should have run by now may be another loop's, which has ended.
        if not now - _LOOK_EVERY_S <= self._due <= work.until:
            self._look_at(min(work.until, now + _LOOK_EVERY_S))
        try:
            with work.cut:
                await self._app(scope, receiving, sending)
        finally:
            self._underway.pop(work, None)
        if work.cut.cancelled_caught and not started:
            await problem.respond(self._given_up(work), scope, receive, send)

    def _scope(self) -> anyio.CancelScope:
        """Make a cancel scope, without looking up anew which kind of event loop there is."""
        if self._backend is None:
            self._backend = anyio.lowlevel.current_token().backend_class
        return self._backend.create_cancel_scope()

    def _given_up(self, work: _Work) -> AppError:
        # Of a body that is not read to its end, the rest would be taken for the next request.
        closing = {"Connection": "close"}
        if not work.is_late:
            msg = "The rest of the body did not arrive before this process had to stop."
            return StoppingError(msg, headers={"Retry-After": "1", **closing})
        if work.is_reading:
            msg = f"The body was not there after {self._timeout_s:g} s."
            return BodyTimeoutError(msg, headers=closing)
        detail = f"There was no answer within {self._timeout_s:g} s. Try again in a moment."
        if work.scope["method"] in CHANGING:
            detail += (
                " Whether the change was made is unknown: sent again with the same "
                "Idempotency-Key, it is made once."
            )
        return DeadlineExceededError(detail, headers={"Retry-After": "1"})

    def _look_at(self, moment: float) -> None:
        """Have somebody look after the requests at a moment of the loop's clock."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(moment, self._look)
        self._due = moment

    def _look(self) -> None:
        """End what is late; and what is half sent, once the process stops."""
        self._timer, self._due = None, -math.inf
        now = asyncio.get_running_loop().time()
        for work in list(self._underway):
            work.is_late = work.until <= now
            if work.is_late or (work.is_reading and work.scope["app"].state.runtime.draining):
                del self._underway[work]
                work.cut.cancel()
        if self._underway:
            soonest = min(work.until for work in self._underway)
            self._look_at(min(soonest, now + _LOOK_EVERY_S))


def wait_s(scope: Scope) -> int:
    """Return how many seconds `Prefer: wait=N` asks for, at most `LONGEST_WAIT_S`; 0 without."""
    for value in heads(scope).get(b"prefer", ()):
        found = _WAIT.search(value)
        if found:
            return min(int(found[1]), LONGEST_WAIT_S)
    return 0
