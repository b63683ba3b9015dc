"""Spans are sent where the environment says, and never in the way of anything."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest
from blockbuster import BlockBuster
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.testing import capture_logs

from app import telemetry
from app.bus import tracing
from app.settings import Settings

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin with nothing that asks for spans, and nobody who has set an SDK up."""
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", *telemetry._ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    return monkeypatch


async def _told(**environment: str) -> list[str]:
    """Return the sentences that a start and a stop write, in which no span is made."""
    with pytest.MonkeyPatch.context() as patch, capture_logs() as lines:
        for name, value in environment.items():
            patch.setenv(name, value)
        async with telemetry.spans(Settings.model_validate({})):
            assert not tracing.switch.on
    assert SECRET not in str(lines)
    return [f"{line['event']}: {line['why']}" for line in lines]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_nothing_is_said_where_nothing_is_asked_for(environment: dict[str, str]) -> None:
    assert await _told(**environment) == []


async def test_without_the_packages_one_sentence_says_what_to_install(
    bare: pytest.MonkeyPatch,
) -> None:
    bare.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    [sentence] = await _told(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://me:{SECRET}@collector:4318")

    assert "requirements-otel.lock" in sentence


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER names 'zipkin'"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": f"collector:{SECRET}"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is no http",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[::1"},
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no http",
        ),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(environment: dict[str, str], said: str) -> None:
    [sentence] = await _told(**environment)

    assert sentence.startswith(f"no spans are sent: {said}")


@contextmanager
def _hanging() -> Iterator[str]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"


async def test_a_stop_does_not_wait_for_a_receiver_that_hangs(
    no_blocking_calls: BlockBuster,
) -> None:
    no_blocking_calls.deactivate()
    with _hanging() as url, capture_logs() as lines:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=1)))
        provider.get_tracer("test").start_span("work").end()
        began = time.monotonic()
        with anyio.fail_after(5):
            await telemetry._flush(provider, 0.1)
        took_s = time.monotonic() - began
        (left,) = [each for each in threading.enumerate() if each.name == "flush of spans"]
        # What it says of the receiver in the end must not be in another test's log.
        await anyio.to_thread.run_sync(left.join, 10)

    assert took_s < 1
    assert [line["event"] for line in lines] == ["spans were not sent in time"]
