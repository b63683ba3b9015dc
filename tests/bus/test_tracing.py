"""Spans of the bus, where an SDK is set up: whose they are, their links, and what they say."""

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox, tracing
from app.bus.delivery import Reason
from app.bus.errors import PermanentError, StreamUnavailableError
from app.bus.event import Context, seal
from app.bus.redrive import redrive
from app.bus.relay import Relay
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.owing import arrive, deliver, owe, published, run_due
from tests.bus.sample import Effects, Heard, Rang, listening, relay_all, ring
from tests.spans import kept_spans

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture
def provider() -> TracerProvider:
    """Make an SDK; not the whole process's, which would have it for good."""
    return TracerProvider(shutdown_on_exit=False)


@pytest.fixture
def spans(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Keep the spans that are made until the test ends."""
    return kept_spans(tracing, provider, monkeypatch)


def rang(bell: str, *, volume: int = 1, trace_id: str = TRACE) -> Rang:
    """Return an event that was made in a span of a trace."""
    work = Context(correlation_id="c-1", traceparent=f"00-{trace_id}-{PARENT}-01")
    return Rang(bell=bell, volume=volume).within(work)


def answering() -> Subscriber:
    """Return a subscriber that says what it heard, and raises for what is too loud."""
    subscriber = Subscriber("ears")

    @subscriber.on(Rang)
    async def _answer(event: Rang, session: AsyncSession) -> None:
        if event.volume > 1:
            raise PermanentError("too loud\n[parameters: a customer's data]")
        await outbox.publish(session, Heard(bell=event.bell))

    return subscriber


def context_of(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def trace_of(span: ReadableSpan) -> str:
    return f"{context_of(span).trace_id:032x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def linked(links: Sequence[Link]) -> list[tuple[str, str]]:
    return [(f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}") for one in links]


async def test_processing_is_part_of_the_events_trace_and_what_it_publishes_of_it(
    database: Database, spans: InMemorySpanExporter
) -> None:
    event = rang("a")
    await arrive(database, answering(), event)
    [heard] = await published(database, Heard)
    [span] = spans.get_finished_spans()

    assert (span.name, trace_of(span), parent_of(span)) == ("process bells", TRACE, PARENT)
    assert heard.traceparent == f"00-{TRACE}-{context_of(span).span_id:016x}-01"
    assert span.attributes is not None
    assert span.attributes["messaging.message.id"] == str(event.id)
    assert span.attributes["messaging.consumer.group.name"] == "ears"
    assert span.status.is_ok


async def test_a_batch_is_a_span_that_is_linked_to_those_of_its_events(
    database: Database, spans: InMemorySpanExporter
) -> None:
    other = "0af7651916cd43dd8448eb211c80319c"
    await arrive(database, listening(Effects()), rang("a"), rang("b", trace_id=other))
    *events, batch = spans.get_finished_spans()

    assert {trace_of(span) for span in events} == {TRACE, other}
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert parent_of(batch) is None
    assert linked(batch.links) == [(TRACE, PARENT), (other, PARENT)]
    for span in events:
        assert [one.context.span_id for one in span.links] == [context_of(batch).span_id]


async def test_a_failure_is_an_error_that_tells_no_data(
    database: Database, spans: InMemorySpanExporter
) -> None:
    await arrive(database, answering(), rang("a", volume=9), rang("b"))
    by_bell = {
        str(span.attributes["cloudevents.event_subject"]): span
        for span in spans.get_finished_spans()
        if span.attributes and "cloudevents.event_subject" in span.attributes
    }
    bad = by_bell["a"]

    assert not bad.status.is_ok
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "PermanentError"
    assert bad.attributes["orderly.delivery.becomes"] == "dead"
    [event] = bad.events
    assert event.attributes == {
        "exception.type": "PermanentError",
        "exception.message": "too loud",
    }
    assert by_bell["b"].status.is_ok


@pytest.mark.parametrize("reason", [Reason.REDRIVE, Reason.REPLAY, Reason.FILL])
async def test_what_somebody_asked_for_again_is_linked_to_the_event(
    database: Database, spans: InMemorySpanExporter, reason: Reason
) -> None:
    ears = answering()
    await owe(database, ears, rang("a"), reason=reason)
    await run_due(database, ears)
    [heard] = await published(database, Heard)
    [span] = spans.get_finished_spans()

    assert trace_of(span) != TRACE
    assert parent_of(span) is None
    assert linked(span.links) == [(TRACE, PARENT)]
    assert heard.correlationid == "c-1"
    assert heard.traceparent is not None
    assert heard.traceparent.split("-")[1] == trace_of(span)


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.FAILED, Reason.PARKED])
async def test_what_the_stream_could_not_bring_stays_in_its_trace(
    database: Database, spans: InMemorySpanExporter, reason: Reason
) -> None:
    ears = answering()
    await owe(database, ears, rang("a"), reason=reason)
    await run_due(database, ears)
    [span] = spans.get_finished_spans()

    assert (trace_of(span), parent_of(span), list(span.links)) == (TRACE, PARENT, [])


async def test_a_redrive_is_part_of_the_request_that_asks_for_it(
    database: Database, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    event = rang("a", volume=9)
    ears = answering()
    await arrive(database, ears, event)
    spans.clear()
    with provider.get_tracer("test").start_as_current_span("request"):
        await redrive(database, [ears], "ears", event.id, who="me", data={"bell": "a", "volume": 1})
    span, request = spans.get_finished_spans()

    assert parent_of(span) == f"{context_of(request).span_id:016x}"
    assert linked(span.links) == [(TRACE, PARENT)]


async def test_a_copy_that_does_not_run_leaves_no_span(
    database: Database, spans: InMemorySpanExporter
) -> None:
    ears, event = answering(), rang("a")
    await arrive(database, ears, event)
    spans.clear()
    await deliver(database, ears, event)

    assert spans.get_finished_spans() == ()


async def test_sending_is_part_of_each_events_trace(
    database: Database, stream: Stream, spans: InMemorySpanExporter
) -> None:
    await ring(database, rang("a"), rang("b"))
    await relay_all(database, stream)
    sent = spans.get_finished_spans()

    assert [(one.name, trace_of(one), parent_of(one)) for one in sent] == [
        ("send bells", TRACE, PARENT)
    ] * 2


async def test_a_page_that_cannot_be_sent_is_one_error(
    database: Database, spans: InMemorySpanExporter
) -> None:
    nowhere = Stream("unix:///nowhere/s")
    await ring(database, rang("a"), rang("b"))
    with pytest.raises(StreamUnavailableError):
        await Relay(database, nowhere, WakeUp()).publish_page()
    [span] = spans.get_finished_spans()

    assert span.attributes is not None
    assert span.attributes["error.type"] == "StreamUnavailableError"
    assert span.attributes["messaging.batch.message_count"] == 2


async def test_an_event_that_was_not_sampled_is_not_recorded_and_its_trace_goes_on(
    database: Database, spans: InMemorySpanExporter
) -> None:
    work = Context(correlation_id="c-1", traceparent=f"00-{TRACE}-{PARENT}-00")
    await arrive(database, answering(), Rang(bell="a").within(work))
    [heard] = await published(database, Heard)

    assert spans.get_finished_spans() == ()
    assert heard.traceparent is not None
    assert heard.traceparent.startswith(f"00-{TRACE}-")
    assert heard.traceparent.endswith("-00")


@pytest.mark.parametrize("traceparent", [None, "", "x", "1", "00-zz-1-01", f"00-{TRACE}-{PARENT}"])
async def test_a_trace_that_makes_no_sense_is_in_nobodys_way(
    database: Database, spans: InMemorySpanExporter, traceparent: str | None
) -> None:
    work = Context(correlation_id="c-1", traceparent=traceparent)
    events = [Rang(bell=bell).within(work) for bell in "ab"]
    await arrive(database, answering(), *events)
    with tracing.sending([("bells", seal(events[0]).text)]):
        pass
    ran = [span for span in spans.get_finished_spans() if span.name == "process bells"]

    assert len(await published(database, Heard)) == 2
    assert all(parent_of(span) is None for span in ran)


async def test_without_an_sdk_ids_travel_and_no_span_is_made(
    database: Database, spans: InMemorySpanExporter
) -> None:
    tracing.end()
    await arrive(database, answering(), rang("a"))
    [heard] = await published(database, Heard)

    assert spans.get_finished_spans() == ()
    assert heard.traceparent is not None
    assert heard.traceparent.startswith(f"00-{TRACE}-")
    assert PARENT not in heard.traceparent
