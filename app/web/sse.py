"""Server-sent events: a reply that goes on, one text/event-stream per client."""

from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, ClassVar, TypeAlias

from fastapi import Header
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.fields import MAX_BIGINT, Whole
from app.web.principal import Principal

MOST_STREAMS = 500
"""How many streams one process serves at the same time."""

MOST_OF_A_CUSTOMER = 20
"""How many of them go to one customer's keys: nobody can take the streams of everybody else."""

HEARTBEAT_S = 15.0
"""How long a stream is silent at most: proxies cut what they take for dead."""

LONGEST_S = 3600.0
"""How long a stream lasts: a client's reconnection is also where its key is looked at again."""

HEARTBEAT = ": heartbeat\n\n"
"""A comment, which clients pass over."""

RETRY = "retry: 1000\n\n"
"""Asks clients to come back a second after a stream ended that was not the last."""

LastEventId: TypeAlias = Annotated[
    Whole | None,
    Header(
        alias="Last-Event-ID",
        ge=0,
        le=MAX_BIGINT,
        description="The id of the last event received: the stream goes on after it.",
    ),
]


class TooManyStreamsError(AppError):
    """This process serves as many event streams as it can, or as one customer may have."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "too_many_streams"
    title: ClassVar[str] = "Too many event streams"
    remedy: ClassVar[str] = (
        "Connect again after Retry-After, or ask from time to time with `Prefer: wait=30`."
    )
    retryable: ClassVar[bool] = True


def message(id_: int, event: str, data: str) -> str:
    """Return one event of a stream; data is one line of text."""
    return f"id: {id_}\nevent: {event}\ndata: {data}\n\n"


class EventStream(StreamingResponse):
    """A reply that sends the messages as they come, and ends when they do.

    Answered with TooManyStreamsError instead while `MOST_STREAMS` are open, or `MOST_OF_A_CUSTOMER`
    with keys that are bound to the customer; the messages are then never asked for.
    """

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncIterator[str]) -> None:
        # Some proxies keep a reply back until they have a page of it, unless they are told.
        super().__init__(messages, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the messages, unless too many others are sent at the moment."""
        if scope.get("orderly.head"):
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        who: Principal | None = scope.get("state", {}).get("principal")
        customer_id = None if who is None else who.customer_id
        held = scope["app"].state
        if not hasattr(held, "streams"):
            held.streams, held.streams_of = 0, Counter()
        streams_of: Counter[str] = held.streams_of
        msg = None
        if held.streams >= MOST_STREAMS:
            msg = f"This process serves {MOST_STREAMS} event streams already."
        elif customer_id is not None and streams_of[customer_id] >= MOST_OF_A_CUSTOMER:
            msg = f"This process serves {MOST_OF_A_CUSTOMER} event streams to the customer already."
        if msg is not None:
            refusal = TooManyStreamsError(msg, headers={"Retry-After": "5"})
            await problem.respond(refusal, scope, receive, send)
            return
        held.streams += 1
        if customer_id is not None:
            streams_of[customer_id] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            held.streams -= 1
            if customer_id is not None:
                streams_of.subtract([customer_id])
                if not streams_of[customer_id]:
                    del streams_of[customer_id]
