"""Calling a handler: within its time, and so that its errors are not taken for the engines'."""

import math
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import anyio
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bound_contextvars

from app.bus.errors import HandlerError, HandlerTimeoutError
from app.bus.event import Event, current_context
from app.bus.subscriber import Failed, Handler

T = TypeVar("T")


async def call(
    handler: Handler, events: Sequence[Event], session: AsyncSession, timeout_s: float
) -> Sequence[Failed[Event]]:
    """Call a handler with events and return the failures it expected.

    Unless it takes them all at once, each is the cause of what it does then and named in what it
    logs. timeout_s is for a handler that names no time of its own.
    """
    if handler.batch:
        failed: Sequence[Failed[Event]] | None
        failed = await _bounded(handler, handler.function(events, session), timeout_s)
        return failed or ()
    for event in events:
        token = current_context.set(event.consequence())
        try:
            with bound_contextvars(**event.log_fields):
                await _bounded(handler, handler.function(event, session), timeout_s)
        finally:
            current_context.reset(token)
    return ()


async def _bounded(handler: Handler, work: Awaitable[T], timeout_s: float) -> T:
    """Await a handler's work for as long as it may take.

    Errors of the operating system, and a cancellation nobody asked for, are the handler's own
    doing and come out as HandlerError; what the database raises comes out as it is.
    """
    limit_s = handler.timeout_s or timeout_s
    try:
        with anyio.move_on_after(limit_s):
            return await work
    except anyio.get_cancelled_exc_class() as error:
        if anyio.current_effective_deadline() == -math.inf:
            raise
        raise HandlerError(str(error)) from error
    except OSError as error:
        raise HandlerError(str(error)) from error
    msg = f"handler {handler.name} did not return within {limit_s:g} s"
    raise HandlerTimeoutError(msg)
