"""A real stream engine for tests, which they may flush, freeze, kill and start again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import redis

from app.bus.embedded import engine_binary
from tests import least_privilege
from tests.ends import EndsWithUs


class ValkeyServer:
    """One engine on a unix socket of its own; what it stores survives `kill` as an AOF would.

    Unless it is not persistent: then it comes back empty. With users its URL is that of the one
    user in deploy/redis/users.acl, and `admin_url` may do everything; else both may.
    """

    def __init__(self, *, persistent: bool = True, users: bool = least_privilege.ASKED) -> None:
        self._appendonly = "yes" if persistent else "no"
        self._directory = tempfile.mkdtemp(prefix="orderly-valkey-")
        self._process: subprocess.Popen[bytes] | None = None
        self._ends_with_us: EndsWithUs | None = None
        self.socket = Path(self._directory) / "s"
        self.url = self.admin_url = f"unix://{self.socket}"
        self._users: tuple[str | Path, ...] = ()
        if users:
            file = Path(self._directory) / "users.acl"
            file.write_text(least_privilege.acl_with_admin())
            self._users = ("--aclfile", file)
            # A replica of another such engine asks that one as its admin.
            self._users += ("--masteruser", least_privilege.ADMIN)
            self._users += ("--masterauth", least_privilege.PASSWORD)
            self.url = least_privilege.stream_user(self.url)
            self.admin_url = least_privilege.stream_admin(self.admin_url)

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        self._process = subprocess.Popen(
            [
                engine_binary(),
                *("--port", "0", "--unixsocket", self.socket, "--save", ""),
                *("--dir", self._directory, "--loglevel", "warning"),
                *("--appendonly", self._appendonly, "--repl-diskless-sync-delay", "0"),
                *self._users,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._ends_with_us = EndsWithUs(self._process.pid, self._directory)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            time.sleep(0.01)
        raise TimeoutError("valkey-server did not answer within 10 s")

    def client(self) -> redis.Redis:
        """Return a blocking client, for what tests do to the engine behind Orderly's back."""
        return redis.Redis.from_url(self.admin_url, decode_responses=True)

    def follow(self, port: int, timeout_s: float = 5) -> None:
        """Become a replica of the engine at this port of this machine, and wait for its data.

        Raises TimeoutError when that takes longer.
        """
        with self.client() as client:
            client.replicaof("127.0.0.1", str(port))
            deadline = time.monotonic() + timeout_s
            while client.info("replication")["master_link_status"] != "up":
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no data from the primary within {timeout_s:g} s")
                time.sleep(0.02)

    def promote(self) -> None:
        """Take writes, with what was received until now, and keep no file of it."""
        with self.client() as client:
            client.replicaof("NO", "ONE")
        (Path(self._directory) / "dump.rdb").unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the engine for good."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None and self._ends_with_us is not None:
            self._ends_with_us.release()
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, with_signal)
            self._process.wait(10)
            self._process = None
