"""Logs: a structured line per happening, with the chain's ids. Spans, where they are wanted."""

import logging
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from app import lines
from app.bus import tracing
from app.settings import VERSION, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = "OTEL_TRACES_EXPORTER"

# All but what lines are made of: traces have several.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def configure_logging(settings: Settings) -> None:
    """Send our log and that of the libraries to standard error, in the format of the settings.

    Every line carries what is bound to the current context, such as correlation and trace id.
    """
    level = logging.getLevelName(settings.log_level.upper())
    in_json = settings.log_format == "json"
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = (
        [lines.tracebacks, structlog.processors.JSONRenderer(lines.in_json)]
        if in_json
        else [
            structlog.processors.format_exc_info,
            _harmless,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[lines.line] if in_json else [*before, *after],
        wrapper_class=lines.logger_of(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _harmless(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Spell control characters out: what a message quotes shall not steer somebody's terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
    return event


@asynccontextmanager
async def spans(settings: Settings) -> AsyncIterator[None]:
    """Make spans for the length of the block, if the `OTEL_*` variables or a provider ask for it.

    What was not sent at its end has a quarter of the drain's time. Where spans are asked for and
    cannot be sent, the log says why in a sentence, and everything goes on without them.
    """
    provider = _provider(settings)
    tracing.begin()
    try:
        yield
    finally:
        tracing.end()
        if provider is not None:
            await _flush(provider, settings.drain_s / 4)


async def _flush(provider: "TracerProvider", seconds: float) -> None:
    """Send what is left; a receiver that does not answer is not waited for."""
    thread = threading.Thread(target=provider.shutdown, name="flush of spans", daemon=True)
    thread.start()
    with anyio.move_on_after(seconds, shield=True):
        while thread.is_alive():  # noqa: ASYNC110 - the library has no other way to tell
            await anyio.sleep(0.01)
        return
    log.warning("spans were not sent in time", seconds=seconds)


def _provider(settings: Settings) -> "TracerProvider | None":
    """Set up what the environment asks for; None where it asks for nothing, or cannot have it."""
    names = _asked()
    if not names or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    try:
        from opentelemetry.sdk.resources import (  # noqa: PLC0415 - the extra may be missing
            OTELResourceDetector,
            Resource,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning(
            "no spans are sent",
            why="OTEL_* asks for them, and the packages that send them are not installed: install "
            "requirements-otel.lock, or unset it",
        )
        return None
    exporters = [_exporter(name) for name in names]
    if None in exporters:
        return None
    resource = Resource.create(
        {
            "service.name": "orderly",
            "service.version": VERSION,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "orderly.role": settings.role.value,
        }
    )
    # What the operator names wins.
    provider = TracerProvider(
        resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
    )
    for exporter in exporters:
        if exporter is not None:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    log.info("spans are sent", exporters=",".join(names))
    return provider


def _asked() -> list[str]:
    """Return the exporters that the environment names, by OpenTelemetry's own variables."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    default = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else ""
    named = os.environ.get(_EXPORTERS) or default
    return [name for name in map(str.strip, named.lower().split(",")) if name not in {"", "none"}]


def _exporter(name: str) -> "SpanExporter | None":
    """Return where spans go; None, with a sentence in the log, where that cannot be."""
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter(out=sys.stderr)
    trouble = _unusable(name)
    if trouble:
        log.warning("no spans are sent", why=trouble)
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


def _unusable(name: str) -> str | None:
    """Return why spans cannot go to the exporter of this name, without any address."""
    if name != "otlp":
        return f"{_EXPORTERS} names {name!r}, and known are otlp, console and none"
    for variable in _PROTOCOLS:
        protocol = os.environ.get(variable)
        if protocol and protocol != "http/protobuf":
            return f"{variable} is {protocol!r}, and only http/protobuf is spoken here"
    for variable in _ENDPOINTS:
        if not _is_url(os.environ.get(variable) or "http://localhost"):
            return f"{variable} is no http:// or https:// URL"
    return None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False
