"""A line of the log is one line, and steers nobody's terminal, whatever it quotes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starter import ROOT, clean_environment

HOSTILE = "a\x1b[2Jb\x9b31m\r\x08\x07\u202egnp\u2028\x85c"

# As a process logs, which sets up logging for itself alone.
_PROGRAM = """
import logging, structlog, sys
from app.settings import Settings
from app.telemetry import configure_logging

configure_logging(Settings(log_format=sys.argv[1], log_level="debug"))
log = structlog.get_logger("x")
hostile = sys.argv[2]
log.warning("refused", sku=hostile, nested={"sku": hostile}, many=[hostile])
log.warning("refused " + hostile, forged="x\\n2026-11-20 [info] paid order=1")

def fail(password):
    raise LookupError("no box for " + hostile)

try:
    fail(f"{40 + 2}-is-what-nobody-knows")
except LookupError as error:
    log.error("failed", exc_info=error)
logging.getLogger("library").error("said %s", hostile)
"""


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: the program runs in another process here."""


@pytest.mark.parametrize("form", ["console", "json"])
def test_nothing_that_is_logged_steers_a_terminal_or_makes_a_line(
    form: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM, form, HOSTILE],
        cwd=tmp_path,
        env=clean_environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        check=True,
    )
    text = done.stderr.decode()

    # Of a traceback's variables, some are always what nobody may know.
    assert "42-is-what" not in text
    assert not re.search(r"[^\n\x20-\x7e]", text), repr(text)
    lines = text.splitlines()
    if form == "json":
        assert [json.loads(line)["level"] for line in lines] == [
            "warning",
            "warning",
            "error",
            "error",
        ]
        assert json.loads(lines[0])["sku"] == HOSTILE
    else:
        begins = [line for line in lines if re.match(r"\d{4}-\d{2}-\d{2}", line)]
        assert len(begins) == 4
        assert "LookupError: no box for a\\x1b[2Jb\\x9b31m" in text
        assert "order=1" in begins[1]
