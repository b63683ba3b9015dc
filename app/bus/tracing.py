"""Spans of the bus: what the relay sent and what subscribers processed, by OpenTelemetry's API.

Nothing here knows an SDK. Until `begin` finds one set up, all of it costs a look at one boolean,
and ids travel in events and logs as they always do. Names and attributes are those of the semantic
conventions for messaging.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from opentelemetry import context as contexts, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.bus.event import Event

_tracer = trace.get_tracer("orderly.bus")
_propagator = TraceContextTextMapPropagator()
_LONGEST_ERROR = 300

# The relay has an envelope as text; what it needs stands before the data.
_HEAD = re.compile(r'"id":"(?P<id>[^"]+)".*?"type":"(?P<type>[^"]+)"')
_TRACEPARENT = re.compile(r'"traceparent":"(?P<traceparent>[^"]+)"')
_DATA = '"data":'


class _Switch:
    """Whether spans are made."""

    on = False


switch = _Switch()


def begin() -> bool:
    """Make spans if an SDK is set up by now, and tell whether one is."""
    switch.on = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    return switch.on


def end() -> None:
    """Make no more spans."""
    switch.on = False


def traceparent_of(span: Span) -> str:
    """Return the W3C traceparent by which work is made a child of span."""
    known = span.get_span_context()
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"


def remote(traceparent: str | None) -> contexts.Context:
    """Return a context whose span is the one that traceparent names; empty without one."""
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return _propagator.extract(carrier, contexts.Context())


def is_sampled(traceparent: str | None) -> bool:
    """Tell whether somebody records the trace, as far as is known; then its spans are wanted."""
    return not traceparent or traceparent[-1] in "13579bdf"


def linked(traceparents: Iterable[str | None]) -> list[Link]:
    """Return links to the spans that these name, each once."""
    found = (
        trace.get_current_span(remote(one)).get_span_context()
        for one in dict.fromkeys(traceparents)
    )
    return [Link(known) for known in found if known.is_valid]


def failed(span: Span, kind: str, sentence: str) -> None:
    """Record an error: its type, and the first line of what it said.

    What comes after is a statement with its parameters, or a customer's data.
    """
    said = (sentence.splitlines() or [""])[0][:_LONGEST_ERROR]
    span.set_attribute("error.type", kind)
    span.add_event("exception", {"exception.type": kind, "exception.message": said})
    span.set_status(Status(StatusCode.ERROR, kind))


@contextmanager
def sending(page: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Record the sending of (stream, envelope) pairs: a span of each event's own trace.

    An event waits in the outbox between its creation and this, so its span is made once it was
    sent; none for an event whose trace nobody records. A page that could not be sent is one span
    with an error, however often it is tried.
    """
    if not switch.on:
        yield
        return
    began = time.time_ns()
    try:
        yield
    except Exception as error:
        streams = sorted({stream for stream, _ in page})
        span = _tracer.start_span(
            f"send {streams[0]}",
            context=contexts.Context(),
            kind=SpanKind.PRODUCER,
            attributes=_messaging("send", ",".join(streams)) | _size(len(page)),
            start_time=began,
        )
        failed(span, type(error).__name__, str(error))
        span.end()
        raise
    now = time.time_ns()
    for stream, envelope in page:
        _sent(stream, envelope, len(page), (began, now))


def _sent(stream: str, envelope: str, count: int, times: tuple[int, int]) -> None:
    attributes = envelope.partition(_DATA)[0]
    known = _TRACEPARENT.search(attributes)
    if known is None or not is_sampled(known["traceparent"]):
        return
    head = _HEAD.search(attributes)
    named = {} if head is None else _event(head["id"], head["type"])
    span = _tracer.start_span(
        f"send {stream}",
        context=remote(known["traceparent"]),
        kind=SpanKind.PRODUCER,
        attributes=_messaging("send", stream) | named | _size(count),
        start_time=times[0],
    )
    span.end(times[1])


def _size(count: int) -> dict[str, str | int]:
    return {"messaging.batch.message_count": count}


def _messaging(operation: str, stream: str) -> dict[str, str | int]:
    return {
        "messaging.system": "redis",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": stream,
    }


def _event(event_id: str, event_type: str) -> dict[str, str | int]:
    return {"messaging.message.id": event_id, "cloudevents.event_type": event_type}


class Process:
    """The spans of a subscriber that processes a batch: one of each event, one of them all.

    An event's span is part of its own trace, so that a chain is one trace from the request to its
    last effect; what its handler publishes belongs to it. Where the event is run again because
    somebody asked for it (redrive, replay, fill), the span is the asker's, or a trace of its own,
    with a link to the event's. The span of a batch is linked to all events', and theirs to it.
    """

    def __init__(self, subscriber: str) -> None:
        self._subscriber = subscriber
        self._spans: dict[UUID, Span] = {}
        self._done: set[UUID] = set()

    @contextmanager
    def of(self, events: Sequence[tuple[Event, bool]]) -> Iterator[None]:
        """Have a span for each event, True with those that are run again, until the block ends.

        One whose trace nobody records has none, and one that was settled in none of its
        transactions leaves none.
        """
        wanted = [
            (event, again) for event, again in events if again or is_sampled(event.traceparent)
        ]
        if not wanted:
            yield
            return
        batch = self._batch([event for event, _ in wanted], len(events)) if events[1:] else None
        links = [] if batch is None else [Link(batch.get_span_context())]
        for event, again in wanted:
            if event.id not in self._spans:
                self._spans[event.id] = self._begin(event, links, again=again)
                event.processed_as(traceparent_of(self._spans[event.id]))
        current = batch or next(iter(self._spans.values()))
        try:
            with trace.use_span(current, record_exception=False, set_status_on_exception=False):
                yield
        except Exception as error:
            # Of the engines, not of an event.
            failed(current, type(error).__name__, str(error))
            if not self._done:
                current.end()
            raise
        finally:
            for event_id in self._done:
                self._spans[event_id].end()
            if batch is not None and self._done:
                batch.end()
            self._spans, self._done = {}, set()

    def settled(self, event_ids: Collection[UUID]) -> None:
        """Note that these events' effects are committed."""
        self._done |= self._spans.keys() & set(event_ids)

    def failed(self, event_id: UUID, kind: str, sentence: str, becomes: str) -> None:
        """Note that an event failed, and what becomes of its delivery."""
        span = self._spans.get(event_id)
        if span is not None:
            failed(span, kind, sentence)
            span.set_attribute("orderly.delivery.becomes", becomes)
            self._done.add(event_id)

    def _batch(self, events: Sequence[Event], count: int) -> Span:
        streams = sorted({event.context for event in events})
        return _tracer.start_span(
            f"process {streams[0] if len(streams) == 1 else self._subscriber}",
            kind=SpanKind.CONSUMER,
            attributes={
                **_messaging("process", ",".join(streams)),
                "messaging.consumer.group.name": self._subscriber,
                **_size(count),
            },
            links=linked(event.traceparent for event in events),
        )

    def _begin(self, event: Event, links: list[Link], *, again: bool) -> Span:
        return _tracer.start_span(
            f"process {event.context}",
            context=None if again else remote(event.traceparent),
            kind=SpanKind.CONSUMER,
            attributes={
                **_messaging("process", event.context),
                **_event(str(event.id), event.type),
                "messaging.consumer.group.name": self._subscriber,
                "cloudevents.event_subject": event.subject,
            },
            links=links + (linked([event.traceparent]) if again else []),
        )
