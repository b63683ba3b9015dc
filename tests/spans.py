"""Spans that are kept for a test to look at, by an SDK of its own."""

from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.bus import tracing


def kept_spans(
    module: ModuleType, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> InMemorySpanExporter:
    """Have a module make its spans with provider until the test ends, and keep them."""
    kept = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(module, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(tracing.switch, "on", True)
    return kept
