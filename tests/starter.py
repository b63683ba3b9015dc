"""Starts the program without its imports, which take a second and more of every start.

`python -m tests.starter` has done them, and forks itself for each start: a process as any other,
to kill, to freeze and to wait for, that goes on with `python -m` of the module it was asked for.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]

_IMPORTED = (
    *("app.cli.serve", "app.cli.migrate", "app.cli.verify", "app.cli.load_orders"),
    *("asyncpg", "aiosqlite", "uvloop", "alembic.command", "sqlalchemy.dialects.sqlite.aiosqlite"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "uvicorn.loops.uvloop"),
    *("uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.off"),
    *("tests.faults.plants", "tests.faults.poison", "tests.system.poison_worker"),
)


def clean_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with nothing of ours in it but values."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT), "APP_LOG_FORMAT": "json"} | dict(values)


class Started:
    """A process of the starter's, to be used like one of `subprocess`."""

    def __init__(self, starter: "Starter", pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._starter = starter
        # Its own end of this pipe is closed when the process is gone, whatever ended it.
        self._ended = ended

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, or raise TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = self._starter.exit_code(self.pid)
            os.close(self._ended)
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self.send_signal(signal.SIGKILL)


class Starter:
    """The process that forks itself; there is one per test process."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.starter", str(theirs.fileno())],
                cwd=ROOT,
                env=clean_environment({}),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._lock = Lock()

    def start(
        self,
        module: str,
        words: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        output: tuple[int, int],
    ) -> Started:
        """Start `python -m module words`; output is where to write what is said, and errors."""
        asked = {"module": module, "words": words, "in": str(directory), "with": dict(environment)}
        ended, theirs = os.pipe()
        try:
            pid = self._ask(asked, [*output, theirs])
        finally:
            os.close(theirs)
        return Started(self, pid, ended)

    def exit_code(self, pid: int) -> int:
        """Return how a process ended that is gone."""
        return self._ask({"ended": pid})

    def close(self) -> None:
        """End it; what it has started goes on."""
        self._control.close()
        self._process.wait(10)

    def _ask(self, question: Mapping[str, object], descriptors: Sequence[int] = ()) -> int:
        with self._lock:
            text = json.dumps(question).encode()
            socket.send_fds(self._control, [len(text).to_bytes(4)], descriptors)
            self._control.sendall(text)
            answer = self._control.recv(20)
        assert answer, "the starter is gone"
        return int(answer)


@cache
def starter() -> Starter:
    """Return this process's starter; it ends with us."""
    made = Starter()
    atexit.register(made.close)
    return made


def _serve(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Answer until nobody asks; in a process that was forked, return what it is to become."""
    while True:
        size, descriptors, _, _ = socket.recv_fds(control, 4, 3)
        if not size:
            return None
        text = b""
        while len(text) < int.from_bytes(size):
            text += control.recv(int.from_bytes(size) - len(text))
        asked = json.loads(text)
        if "ended" in asked:
            _, status = os.waitpid(asked["ended"], 0)
            control.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            return asked, descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(str(pid).encode())


def _become(asked: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Be `python -m`, as if it had just begun."""
    output, errors, ended = descriptors
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    # What this process starts must not keep it open.
    os.dup(ended)
    os.close(ended)
    os.chdir(asked["in"])
    os.environ.clear()
    os.environ.update(asked["with"])
    sys.path.insert(0, asked["in"])
    sys.argv = [asked["module"], *asked["words"]]
    gc.enable()
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    gc.disable()
    for name in _IMPORTED:
        import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control_:
        forked = _serve(control_)
    if forked is not None:
        _become(*forked)
