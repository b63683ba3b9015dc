"""Databases that may be changed for good: nobody else gets them afterwards."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from app import db
from tests.conftest import PostgresFixture
from tests.least_privilege import for_owner
from tests.migrations.planted import Planted

Fresh = Callable[[str], dict[str, str]]
"""Makes a database of a kind, "sqlite" or "pg18", and returns the settings that name it."""


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: what migrates is another process."""


@pytest.fixture
def fresh(tmp_path: Path, postgres: PostgresFixture, sqlite_template: Path) -> Iterator[Fresh]:
    """Return a function that makes a migrated, empty database of a kind."""
    with ExitStack() as stack:

        def make(kind: str) -> dict[str, str]:
            if kind == "sqlite":
                data = tmp_path / "var"
                data.mkdir(mode=0o700)
                shutil.copy(sqlite_template, data / "orderly.db")
                return {"APP_DATA": str(data)}
            server = postgres._server(kind)
            url = server.create_database(postgres._templates[kind])
            stack.callback(server.drop_database, url)
            return {"DATABASE_URL": for_owner(server, url), "REDIS_URL": "redis://unused"}

        yield make


@pytest.fixture
def blank(tmp_path: Path, postgres: PostgresFixture) -> Iterator[Fresh]:
    """Return a function that makes a database of a kind with nothing in it."""
    with ExitStack() as stack:

        def make(kind: str) -> dict[str, str]:
            if kind == "sqlite":
                return {"APP_DATA": str(tmp_path / "blank")}
            server = postgres._server(kind)
            url = server.create_database()
            stack.callback(server.drop_database, url)
            return {"DATABASE_URL": for_owner(server, url), "REDIS_URL": "redis://unused"}

        yield make


@pytest.fixture(params=["sqlite", "pg18"])
def planted(request: pytest.FixtureRequest, fresh: Fresh, tmp_path: Path) -> Planted:
    """Give a database of each kind, and a folder for migrations after ours."""
    return planted_in(tmp_path, fresh(request.param))


@pytest.fixture
def on_servers(fresh: Fresh, tmp_path: Path) -> Planted:
    """Give one on PostgreSQL."""
    return planted_in(tmp_path, fresh("pg18"))


def planted_in(tmp_path: Path, environment: dict[str, str]) -> Planted:
    """Return a folder for migrations of the database of environment."""
    folder = tmp_path / "planted"
    folder.mkdir()
    return Planted(folder, environment)


def opened(environment: Mapping[str, str]) -> db.Database:
    """Open the database that settings name, beside whoever migrates it."""
    if "APP_DATA" in environment:
        return db.sqlite(Path(environment["APP_DATA"]) / "orderly.db")
    return db.postgresql(environment["DATABASE_URL"])
