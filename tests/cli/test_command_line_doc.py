"""docs/command-line.md is true: what it says to type is typed, against a running program."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.cli.reference import blocks
from tests.starter import ROOT, clean_environment
from tests.system.orderly import Orderly

HERE = "http://127.0.0.1:8000"


def environment(url: str) -> Mapping[str, str]:
    """Return what a shell has in which the program's port is the one of its settings."""
    return clean_environment({"APP_PORT": url.rpartition(":")[2], "COLUMNS": "100"})


def as_typed(block: str, url: str) -> str:
    """Return a block as it is typed when the program runs at url."""
    client = ("orders", "status", "load-orders", "subscribers", "streams", "outbox", "dead-letters")
    lines = []
    for line in block.splitlines():
        typed = line.replace("examples/", f"{ROOT}/examples/")
        for word in client:
            # Before a pipe, and before the end of a line.
            if f"python3 dev.py {word} " in f"{typed} ":
                head, bar, tail = typed.partition(" | ")
                typed = f"{head} --url {url}{bar}{tail}"
                break
        lines.append(typed.replace("python3 dev.py", f"{sys.executable} -m app"))
    return "\n".join(lines)


def test_what_the_document_says_to_type_works(program: Orderly) -> None:
    typed = blocks()
    script = "\n".join(as_typed(block, program.url) for block in typed)

    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=program.directory,
        env=environment(program.url),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert len(typed) == 5
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        " 0 failed",
        "wait in the outbox",
        "42 rows read",
        "rejected",
        "→ inventory: handled",
        "inventory is paused",
        "inventory goes on.",
        "Nothing is dead.",
        "0 of 0 are handled",
        '"violations": 0',
    ):
        assert told in done.stdout, told


@pytest.mark.parametrize("word", ["status", "orders"])
def test_commands_are_sent_to_the_program_under_test(word: str) -> None:
    line = f"python3 dev.py {word} x | head"

    assert as_typed(line, HERE) == f"{sys.executable} -m app {word} x --url {HERE} | head"
