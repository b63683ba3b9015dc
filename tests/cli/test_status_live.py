"""`status` on a real terminal: it draws, tells of a server that went away, and ends when asked."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.starter import clean_environment
from tests.system.orderly import Orderly


class Terminal:
    """A command on a pseudo-terminal: what it wrote so far, and keys for it."""

    def __init__(self, process: "subprocess.Popen[bytes]", descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.written = ""

    def until(self, text: str, seconds: float = 20) -> None:
        """Wait until the command has written text."""
        give_up_at = time.monotonic() + seconds
        while text not in self.written:
            assert time.monotonic() < give_up_at, self.written[-2000:]
            if select.select([self._descriptor], [], [], 0.1)[0]:
                self.written += os.read(self._descriptor, 65536).decode(errors="replace")

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._descriptor, keys)

    def ended(self) -> int:
        """Wait for the end, reading what is written until then; return the exit code."""
        give_up_at = time.monotonic() + 10
        while self.process.poll() is None:
            assert time.monotonic() < give_up_at
            if select.select([self._descriptor], [], [], 0.05)[0]:
                try:
                    os.read(self._descriptor, 65536)
                except OSError:
                    break
        return self.process.wait(10)


@contextmanager
def watching(url: str) -> Iterator[Terminal]:
    """Run `status` on a terminal of its own until the block ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "status", "--every", "0.2", "--url", url],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean_environment({"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_it_goes_on_until_a_key_ends_it(program: Orderly) -> None:
    with watching(program.url) as terminal:
        terminal.until("q quits")
        terminal.press(b"xq")

        assert terminal.ended() == 0
    assert "Traceback" not in terminal.written


def test_an_interrupt_ends_it_as_well(program: Orderly) -> None:
    with watching(program.url) as terminal:
        terminal.until("q quits")
        terminal.process.send_signal(signal.SIGINT)

        assert terminal.ended() == 0
    assert "Traceback" not in terminal.written


def test_programs_get_a_document_per_line(program: Orderly) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "status", "--json", "--every", "0.2", "--url", program.url],
        env=clean_environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()

    assert first["at"] < second["at"]
    assert (process.returncode, errors) == (0, "")


def test_a_server_that_goes_away_and_comes_back_is_told(tmp_path: Path) -> None:
    with Orderly(tmp_path) as server, watching(server.url) as terminal:
        terminal.until("q quits")
        server.kill()
        terminal.until("trying again")
        terminal.written = ""
        port = int(server.url.rpartition(":")[2])
        with Orderly(tmp_path, port=port):
            terminal.until("q quits")
        terminal.press(b"q")

        assert terminal.ended() == 0
    assert "Traceback" not in terminal.written
