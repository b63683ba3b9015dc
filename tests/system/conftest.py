"""Whole deployments: the embedded one, and api plus workers on servers."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from app.cli.verify import verified
from app.settings import load_settings
from tests import least_privilege
from tests.conftest import PostgresFixture
from tests.system.orderly import Orderly
from tests.valkey import ValkeyServer


@dataclass
class Deployment:
    """One database and stream, the processes on them, and how to start more."""

    directory: Path
    environment: Mapping[str, str]
    stack: ExitStack
    valkey: ValkeyServer | None = None
    processes: list[Orderly] = field(default_factory=list)

    @property
    def as_owner(self) -> Mapping[str, str]:
        """The environment of who runs `migrate`."""
        url = least_privilege.owner_url(self.environment["DATABASE_URL"])
        return {**self.environment, "DATABASE_URL": url}

    @property
    def embedded(self) -> bool:
        """True when one process is the whole deployment."""
        return self.valkey is None

    def start(self, role: str = "all", *, port: int = 0, **settings: str) -> Orderly:
        """Start a process; further settings are APP_ variables without the prefix."""
        own = {f"APP_{name.upper()}": value for name, value in settings.items()}
        environment = {**self.environment, "APP_ROLE": role, **own}
        process = Orderly(self.directory, environment, port=port)
        self.processes.append(self.stack.enter_context(process))
        return process

    def start_all(self, **settings: str) -> Orderly:
        """Start what the deployment is made of and return the process that serves the API."""
        if self.embedded:
            return self.start("all", port=0, **settings)
        self.start("worker", port=0, **settings)
        return self.start("api", port=0, **settings)

    async def verify(self, *, within_s: float = 0.0) -> None:
        """Verify beside the processes; fail the test when there is a violation.

        within_s is for what was lost just now: so long it may take until that is made due.
        """
        until = anyio.current_time() + within_s
        report = await verified(load_settings(**self._settings()))
        while report.violations and anyio.current_time() < until:
            report = await verified(load_settings(**self._settings()))
        assert report.violations == 0, report.offenders

    def _settings(self) -> dict[str, object]:
        urls = {name: SecretStr(url) for name, url in self.environment.items()}
        return {"data": self.directory / "var", **urls}


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: the program runs in other processes here."""


@pytest.fixture
def deploy(
    tmp_path: Path, postgres: PostgresFixture, sqlite_template: Path
) -> Iterator[Callable[[str], Deployment]]:
    """Return a function that makes a deployment: "embedded", "pg16" or "pg18", migrated."""
    with ExitStack() as stack:

        def make(kind: str) -> Deployment:
            if kind == "embedded":
                data = tmp_path / "var"
                data.mkdir(mode=0o700)
                shutil.copy(sqlite_template, data / "orderly.db")
                return Deployment(tmp_path, {}, stack)
            server = ValkeyServer()
            stack.callback(server.stop)
            server.start()
            urls = {"DATABASE_URL": stack.enter_context(postgres(kind)), "REDIS_URL": server.url}
            return Deployment(tmp_path, urls, stack, server)

        yield make


@pytest.fixture
def deployment(request: pytest.FixtureRequest, deploy: Callable[[str], Deployment]) -> Deployment:
    """Make each kind of deployment; nothing runs yet."""
    return deploy(request.param)


@pytest.fixture(params=["embedded", "pg18"])
def either(request: pytest.FixtureRequest, deploy: Callable[[str], Deployment]) -> Deployment:
    """Make one deployment of each shape, where the database's version is not the point."""
    return deploy(request.param)


@pytest.fixture
def servers(deploy: Callable[[str], Deployment]) -> Deployment:
    """Make a deployment on servers; nothing runs yet."""
    return deploy("pg18")
