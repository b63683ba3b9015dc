"""A real stream engine for tests, which they may flush, freeze, kill and start again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress

import redis

from app.bus.embedded import engine_binary


class ValkeyServer:
    """One engine on a unix socket of its own; what it stores survives `kill` as an AOF would.

    Unless it is not persistent: then it comes back empty.
    """

    def __init__(self, *, persistent: bool = True) -> None:
        self._appendonly = "yes" if persistent else "no"
        self._directory = tempfile.mkdtemp(prefix="orderly-valkey-")
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._directory}/s"

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        self._process = subprocess.Popen(
            [
                engine_binary(),
                *("--port", "0", "--unixsocket", f"{self._directory}/s", "--save", ""),
                *("--dir", self._directory, "--loglevel", "warning"),
                *("--appendonly", self._appendonly),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            time.sleep(0.01)
        raise TimeoutError("valkey-server did not answer within 10 s")

    def client(self) -> redis.Redis:
        """Return a blocking client, for what tests do to the engine behind Orderly's back."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the engine for good."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, with_signal)
            self._process.wait(10)
            self._process = None
