"""A line of the log for machines: one JSON text, made in one go."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic_core import to_json
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, WrappedLogger

tracebacks = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
"""Writes tracebacks without local variables: they hold customers' data and keys."""


def line(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """Do the work of structlog's processors for context, level, time, tracebacks and JSON."""
    event = structlog.contextvars.merge_contextvars(logger, method, event)
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = tracebacks(logger, method, event)
    return in_json(event, default=_fallback)


def in_json(event: EventDict, *, default: Callable[[object], Any]) -> str:
    """Write a line as structlog would, a few times faster when it is plain ASCII, as most are."""
    try:
        text = to_json(event, fallback=default).decode()
    except (ValueError, UnicodeError):
        text = ""
    # What else it may hold must not break a line in anybody's eyes.
    return text if text.isascii() and text else json.dumps(event, default=default)


def _fallback(value: object) -> object:
    """Return what stands for a value that JSON has no form for, as structlog does it.

    But a moment is written as `to_json` writes it, which is never asked about one.
    """
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    try:
        return value.__structlog__()  # type: ignore[attr-defined]  # if it has one
    except AttributeError:
        return repr(value)


def logger_of(level: int) -> type[structlog.typing.FilteringBoundLogger]:
    """Return structlog's logger of lines of this level and above, with a short way for `line`.

    There every line would else go through a chain that costs as much as the line.
    """
    usual: Any = structlog.make_filtering_bound_logger(level)

    class Short(usual):  # type: ignore[misc]  # made at run time
        """Hands a line to its file when `line` is all there is to do."""

        def _proxy_to_logger(
            self,
            method_name: str,
            event: str | None = None,
            *event_args: object,
            **event_kw: object,
        ) -> Any:  # noqa: ANN401 - as structlog has it
            # Looked at each time: tests put something else there.
            if self._processors[0] is not line or event_args:
                return super()._proxy_to_logger(method_name, event, *event_args, **event_kw)
            if self._context:
                event_kw = {**self._context, **event_kw}
            if event is not None:
                event_kw["event"] = event
            return self._logger.msg(line(self._logger, method_name, event_kw))

    return Short
