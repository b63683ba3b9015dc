"""A line of the log for machines is one JSON text, whatever it holds."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import structlog

from app.settings import Settings
from app.telemetry import configure_logging


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Have what is logged written here, as JSON, until the test ends."""
    kept, handlers = structlog.get_config(), logging.root.handlers[:]
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(Settings.model_validate({"log_format": "json"}))
    yield stream
    structlog.configure(**kept)
    logging.root.handlers[:] = handlers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("Bär\u2028\x85\n", "Bär\u2028\x85\n"),
        ("lone \ud800", "lone \ud800"),
        (b"\xff", r"b'\xff'"),
        (2**70, 2**70),
        (None, None),
        ([1, {"a": 1.5}], [1, {"a": 1.5}]),
        (ValueError("no"), "ValueError('no')"),
    ],
)
def test_a_line_is_one_json_text(written: io.StringIO, value: object, shown: object) -> None:
    structlog.get_logger().info("said", value=value)

    text = written.getvalue()
    assert text.isascii()
    assert text.count("\n") == 1
    line = json.loads(text)
    assert (line["event"], line["level"], line["value"]) == ("said", "info", shown)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", line["timestamp"])


@pytest.mark.parametrize(
    "value", [datetime(2026, 3, 1, tzinfo=UTC), UUID(int=7), Path("ä"), {1, 2}, object()]
)
def test_what_json_has_no_form_for_is_written_all_the_same(
    written: io.StringIO, value: object
) -> None:
    structlog.get_logger().info("said", value=value)

    assert "value" in json.loads(written.getvalue())


def test_a_line_has_its_context_and_its_traceback_without_local_variables(
    written: io.StringIO,
) -> None:
    log = structlog.get_logger().bind(order_id="ord_1")
    held = "local value"

    with structlog.contextvars.bound_contextvars(correlation_id="c-1"):
        try:
            int(held)
        except ValueError:
            log.exception("broke", kept=1)

    line = json.loads(written.getvalue())
    assert (line["level"], line["order_id"], line["correlation_id"]) == ("error", "ord_1", "c-1")
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "locals" not in line["exception"][0]["frames"][0]
    assert "exc_info" not in line


def test_what_tests_put_in_place_of_the_line_gets_it(written: io.StringIO) -> None:
    with structlog.testing.capture_logs() as lines:
        structlog.get_logger().info("said", value=1)

    assert lines == [{"event": "said", "value": 1, "log_level": "info"}]
    assert written.getvalue() == ""
