"""A request's span is the caller's child, named by its route, and keeps what is private out."""

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.web import observe
from tests.spans import kept_spans
from tests.web.sample import Process, settings
from tests.web.scrape import client_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
KEY = "a-key-that-nobody-else-may-know"


@pytest.fixture
def provider() -> TracerProvider:
    """Make an SDK; not the whole process's, which would have it for good."""
    return TracerProvider(shutdown_on_exit=False)


@pytest.fixture
def spans(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Keep the spans that are made until the test ends."""
    return kept_spans(observe, provider, monkeypatch)


def one(spans: InMemorySpanExporter) -> ReadableSpan:
    [span] = spans.get_finished_spans()
    return span


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_span_is_the_callers_child_and_the_answer_names_it(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    sent = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    answer = await client.get("/v1/things/context", headers=sent)
    span = one(spans)
    context = span.get_span_context()

    assert context is not None
    assert span.parent is not None
    assert (f"{context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, CALLER)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{context.span_id:016x}-01"
    assert answer.json()["traceparent"] == answer.headers["traceparent"]
    assert attributes(span)["http.response.status_code"] == 200
    assert span.status.is_unset


async def test_neither_key_nor_query_nor_header_is_in_a_span(
    process: Process, spans: InMemorySpanExporter
) -> None:
    process.settings = settings(api_key=KEY)
    async with client_of(process, authorization=f"Bearer {KEY}") as client:
        await client.get("/v1/products?secret=hidden", headers={"x-mine": "private"})
    told = one(spans).to_json()

    assert one(spans).name == "GET /v1/products"
    assert not [word for word in (KEY, "hidden", "private", "secret") if word in told]


async def test_what_fails_is_an_error_and_its_statement_is_not_told(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    await client.get("/v1/things/broken")
    span = one(spans)
    [event] = span.events

    assert not span.status.is_ok
    assert attributes(span)["error.type"] == dict(event.attributes or {})["exception.type"]
    assert "\n" not in str(dict(event.attributes or {})["exception.message"])


async def test_what_a_client_does_wrong_is_no_error_of_ours(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    await client.get("/v1/nowhere/ord_17")
    span = one(spans)

    assert span.name == "GET"
    assert span.status.is_unset
    assert "http.route" not in attributes(span)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_probes_make_no_spans_and_keep_their_ids(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter, path: str
) -> None:
    answer = await client.get(path, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})

    assert spans.get_finished_spans() == ()
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


async def test_a_request_without_a_caller_belongs_to_the_span_it_is_made_in(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with provider.get_tracer("test").start_as_current_span("a page of the console"):
        await client.get("/v1/things")
    request, page = spans.get_finished_spans()
    context = page.get_span_context()

    assert context is not None
    assert request.parent is not None
    assert request.parent.span_id == context.span_id


@pytest.mark.parametrize("value", ["", "x", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}"])
async def test_a_malformed_trace_starts_a_new_one(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter, value: str
) -> None:
    await client.get("/v1/things", headers={"traceparent": value})

    assert one(spans).parent is None
