"""`demo` plays its whole story on a real program, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.starter import ROOT, clean_environment


@contextmanager
def playing(directory: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `demo`, whose own directory is made in this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "demo", "--json", *words],
        cwd=ROOT,
        # What would break any other start does not touch the demo.
        env=clean_environment({"TMPDIR": str(directory), "APP_ROLE": "api", "APP_DATA": "/none"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the next thing that the demo says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    said: dict[str, Any] = json.loads(line)
    return said


def until_gone(directory: Path, url: str) -> None:
    """Wait until nothing answers at url, and nothing is left in the directory."""
    give_up_at = time.monotonic() + 15
    while answers(url) or [*directory.iterdir()]:
        assert time.monotonic() < give_up_at, [*directory.iterdir()]
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        httpx2.get(f"{url}/health/live")
    except httpx2.TransportError:
        return False
    return True


def test_the_whole_story_is_told_and_the_books_agree(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    with playing(tmp_path, "--minutes", "0", "--speed", "8") as process:
        while not said or not said[-1]["said"].startswith("The shop stays open"):
            said.append(next_line(process))
            if said[-1]["look"]:
                assert httpx2.get(said[-1]["look"], timeout=20).status_code == 200, said[-1]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert (process.returncode, errors) == (0, "")
    told = " ".join(one["said"] for one in said)
    for act in (
        "25 confirmed",
        "35 rejected",
        "Two are confirmed",
        "tried three times and is a dead letter",
        "receipts goes on: its backlog of ",
        "Redis was flushed",
        "of them are decided",
        "orders were placed, 0 are lost: ",
        "the dry run said handled, and so its redrive: handled",
    ):
        assert act in told, act
    assert [one["violations"] for one in said if "violations" in one] == [0]
    assert {one["look"].partition("/console")[2].split("?")[0] for one in said if one["look"]} >= {
        "",
        "/inventory",
        "/dead-letters",
        "/streams",
        "/orders",
    }
    assert [*tmp_path.iterdir()] == []


def test_it_stops_when_asked_and_leaves_nothing(tmp_path: Path) -> None:
    with playing(tmp_path, "--quiet") as process:
        url = next_line(process)["look"].removesuffix("/console")
        assert answers(url)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)

    assert (process.returncode, errors) == (130, "")
    assert "nothing of it is left" in output
    until_gone(tmp_path, url)


def test_it_leaves_nothing_when_it_is_killed(tmp_path: Path) -> None:
    with playing(tmp_path, "--quiet") as process:
        url = next_line(process)["look"].removesuffix("/console")
        process.kill()
        process.wait(10)

    until_gone(tmp_path, url)


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        with playing(tmp_path, "--port", port) as demo:
            output, errors = demo.communicate(timeout=30)

    assert (demo.returncode, output) == (1, "")
    assert f"Port {port} on 127.0.0.1 cannot be used" in json.loads(errors)["detail"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc to find children in")
def test_a_shop_that_ends_by_itself_is_one_sentence(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        next_line(demo)
        (child,) = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        _, errors = demo.communicate(timeout=60)

    assert demo.returncode == 1
    assert "The shop ended by itself, with code -9." in json.loads(errors)["detail"]
