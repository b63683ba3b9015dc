"""How long a request may take, until its answer begins; and what a stop makes of half-sent ones."""

import asyncio
import math
import re
from http import HTTPStatus
from typing import ClassVar

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.body import CHANGING

LONGEST_WAIT_S = 30
"""What `Prefer: wait=N` can ask for, in seconds."""

_WAIT = re.compile(rb"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})", re.IGNORECASE)

# How soon a request that waits for its own body hears that the process stops.
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
        self._half_sent: set[anyio.CancelScope] = set()
        self._looking = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application until the deadline, and answer in its place after it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed_s = self._timeout_s + wait_s(scope)
        work = anyio.CancelScope(deadline=anyio.current_time() + allowed_s)
        started, whole = False, scope["method"] not in CHANGING
        in_vain = False

        async def receiving() -> Message:
            nonlocal whole, in_vain
            if whole:
                return await receive()
            self._wait_for(work, scope)
            in_vain = True
            try:
                part = await receive()
            finally:
                self._half_sent.discard(work)
            in_vain = False
            whole = not part.get("more_body", False)
            return part

        async def sending(message: Message) -> None:
            nonlocal started
            if not started and work.cancel_called:
                # Given up already, so that what follows could be cut short: no half answers.
                await anyio.lowlevel.checkpoint()
            if message["type"] == "http.response.start":
                started = True
                work.deadline = math.inf
            await send(message)

        with work:
            await self._app(scope, receiving, sending)
        if work.cancelled_caught and not started:
            late = anyio.current_time() >= work.deadline
            refusal = self._given_up(scope, in_vain=in_vain, late=late)
            await problem.respond(refusal, scope, receive, send)

    def _given_up(self, scope: Scope, *, in_vain: bool, late: bool) -> AppError:
        # Of a body that is not read to its end, the rest would be taken for the next request.
        closing = {"Connection": "close"}
        if not late:
            msg = "The rest of the body did not arrive before this process had to stop."
            return StoppingError(msg, headers={"Retry-After": "1", **closing})
        if in_vain:
            msg = f"The body was not there after {self._timeout_s:g} s."
            return BodyTimeoutError(msg, headers=closing)
        detail = f"There was no answer within {self._timeout_s:g} s. Try again in a moment."
        if scope["method"] in CHANGING:
            detail += (
                " Whether the change was made is unknown: sent again with the same "
                "Idempotency-Key, it is made once."
            )
        return DeadlineExceededError(detail, headers={"Retry-After": "1"})

    def _wait_for(self, work: anyio.CancelScope, scope: Scope) -> None:
        """Have work ended when the process stops while its body is on its way."""
        self._half_sent.add(work)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look, scope["app"])

    def _look(self, app: Starlette) -> None:
        """End what is half sent once the process stops; one timer for all, while there are any."""
        if app.state.runtime.draining:
            for work in self._half_sent:
                work.cancel()
        self._looking = bool(self._half_sent)
        if self._looking:
            asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look, app)


def wait_s(scope: Scope) -> int:
    """Return how many seconds `Prefer: wait=N` asks for, at most `LONGEST_WAIT_S`; 0 without."""
    for name, value in scope["headers"]:
        if name == b"prefer":
            found = _WAIT.search(value)
            if found:
                return min(int(found[1]), LONGEST_WAIT_S)
    return 0
