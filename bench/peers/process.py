"""A peer as a process of its own, on a database of its own."""

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.cpu import send, tree, tree_s
from bench.peers import tables
from bench.servers import Servers
from tests.ends import EndsWithUs
from tests.starter import clean_environment

_READY = b"ready"
_PATIENCE_S = 60


class Peer:
    """Runs `python -m module arguments`, which prints `ready`, and an address where it has one."""

    def __init__(self, servers: Servers, module: str, *arguments: str, skus: int = 1000) -> None:
        self._servers = servers
        self._command = [sys.executable, "-m", module, *arguments]
        self._skus = skus
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process: subprocess.Popen[bytes] | None = None
        self._ends_with_us: EndsWithUs | None = None
        self.folder: Path = servers.folder()
        self.database = ""
        self.url = ""

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU seconds of the process and its children so far."""
        return tree_s(self.pid)

    def __enter__(self) -> Self:
        self.database = self._servers.empty_database()
        tables.create(self.database, self._skus)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if kind is not None:
            sys.stderr.write(f"--- log of the peer ---\n{self.log()[-3000:]}\n")
        self._log.close()
        self._servers.drop(self.database)

    def start(self) -> None:
        """Start the process and wait until it says that it is ready."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._ends_with_us = EndsWithUs(self._process.pid)
        assert self._process.stdout is not None
        # One that never gets ready is ended, which ends its output too.
        impatience = threading.Timer(_PATIENCE_S, self._process.kill)
        impatience.start()
        try:
            for line in self._process.stdout:
                if line.startswith(_READY):
                    self.url = line.removeprefix(_READY).strip().decode()
                    return
        finally:
            impatience.cancel()
        raise RuntimeError(f"{self._command[2:]} did not start:\n{self.log()[-3000:]}")

    def _environment(self) -> dict[str, str]:
        return clean_environment(
            {"BENCH_DATABASE": self.database, "BENCH_STREAM": self._servers.stream_url}
        )

    def feed(self, module: str, *arguments: str, before: Callable[[], None] | None = None) -> None:
        """Have a process make up work for this one, and lay it out once before has been called."""
        feeder = subprocess.Popen(
            [sys.executable, "-m", module, "feed", *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        ends_with_us = EndsWithUs(feeder.pid)
        assert feeder.stdout is not None
        feeder.stdout.readline()
        if before is not None:
            before()
        # Closes its standard input, which is leave to begin.
        feeder.communicate(timeout=2 * _PATIENCE_S)
        ends_with_us.release()
        if feeder.returncode:
            raise RuntimeError(f"{module} laid nothing out:\n{self.log()[-2000:]}")

    def stop(self) -> None:
        """Ask the process to end, and make it end if it will not."""
        if self._process is None or self._ends_with_us is None:
            return
        family = tree(self.pid)
        self._ends_with_us.release()
        self._process.terminate()
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            for each in family:
                send(each, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def log(self) -> str:
        """Return what the process said to stderr."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")
