"""Logs: one structured line per happening, for people or for machines, with the chain's ids."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor

from app.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send our log and that of the libraries to standard error, in the format of the settings.

    Every line carries what is bound to the current context, such as correlation and trace id.
    """
    level = logging.getLevelName(settings.log_level.upper())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = (
        [_tracebacks_without_locals(), structlog.processors.JSONRenderer(_in_json)]
        if settings.log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(level),
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


def _in_json(event: EventDict, *, default: Callable[[object], Any]) -> str:
    """Write a line as structlog would, a few times faster when it is plain ASCII, as most are."""
    try:
        text = to_json(event, fallback=default).decode()
    except (ValueError, UnicodeError):
        text = ""
    # What else it may hold must not break a line in anybody's eyes.
    return text if text.isascii() and text else json.dumps(event, default=default)


def _tracebacks_without_locals() -> Processor:
    """Local variables hold customers' data and keys, which belong in no log."""
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return structlog.processors.ExceptionRenderer(transformer)
