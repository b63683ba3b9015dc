"""Fixtures: every database and every stream engine, real."""

import gc
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
import structlog
from blockbuster import BlockBuster, blockbuster_ctx
from sqlalchemy import Engine

from app import db, main, schema
from app.bus import tables as bus_tables
from app.bus.stream import Stream
from app.settings import Settings
from tests import least_privilege
from tests.postgres import PostgresServer, PostgresUnavailableError
from tests.valkey import ValkeyServer

POSTGRES = ("pg16", "pg18")

# By the fixture that a test asks for. What 16 takes, 18 takes too, and the whole program runs on
# 18; so each version sees every statement, and what is about the SQL itself is marked to run on
# both. One test named by hand runs wherever its name says, and --every-postgres is all on all.
_SELECTED = {"closed_database": ("sqlite", "pg16"), "deployment": ("embedded", "pg18")}

_SEEDED = {"locations", "log_head"}
assert main.ROUTERS  # imported for the tables its modules declare
_TABLES = {*bus_tables.metadata.tables, *db.Base.metadata.tables}

# A tenth of what copying the template costs. The ledger's guard against DELETE is a trigger.
_EMPTY_EVERY_TABLE = f"""
DO $$ BEGIN
    SET LOCAL lock_timeout = '2s';
    SET LOCAL session_replication_role = replica;
    ASSERT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') = {len(_TABLES) + 1};
    {" ".join(f"DELETE FROM {name};" for name in sorted(_TABLES - _SEEDED))}
    DELETE FROM locations WHERE id <> 'default';
    UPDATE locations SET name = NULL, priority = 0, active = true, version = 1;
    UPDATE log_head SET position = 0, pruned_position = 0;
END $$
"""  # noqa: S608 - names from our own metadata


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-postgres", action="store_true", help="every test on PostgreSQL 16 and on 18"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each kind of database or deployment, unless it names its own."""
    every = (
        metafunc.config.getoption("every_postgres")
        or metafunc.definition.get_closest_marker("every_postgres")
        or "[" in "".join(metafunc.config.args)
    )
    named = "".join(str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    for fixture, selected in _SELECTED.items():
        if fixture in metafunc.fixturenames and fixture not in named:
            kinds = (selected[0], *POSTGRES) if every else selected
            metafunc.parametrize(fixture, kinds, indirect=True)


def pytest_configure() -> None:
    """Log tracebacks as `serve` does; structlog's own, with every variable, take a second each."""
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was skipped for want of a browser."""
    reasons = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    missing = [str(reason[2]) for reason in reasons if "no browser at" in str(reason)]
    if missing:
        terminalreporter.write_line(f"{len(missing)} tests of pages: {missing[0]}", yellow=True)


def pytest_collection_finish() -> None:
    """Keep what was imported out of garbage collection, as `serve` does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """Fail what blocks the event loop, but for the few calls made before and after it serves."""
    starting_and_ending = ["app.bus.embedded", "app.runtime"]
    with blockbuster_ctx("app", excluded_modules=starting_and_ending) as blockbuster:
        for function in blockbuster.functions.values():
            # A traceback in the log is read from the source files, once per bug.
            function.can_block_in("structlog/_base.py", "_process_event")
            # The driver looks for a password file, once per connection.
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_arguments")
            # Migrations run before a process serves.
            function.can_block_in("alembic/command.py", "upgrade")
        yield blockbuster


def _settings(**values: object) -> Settings:
    """Return settings that come from the test alone, not from the machine's environment."""
    return Settings.model_validate(values)


class PostgresFixture:
    """The session's PostgreSQL servers, started when first asked for."""

    def __init__(self) -> None:
        self._servers: dict[str, PostgresServer] = {}
        self._templates: dict[str, str] = {}
        self._clean: dict[str, list[str]] = {version: [] for version in POSTGRES}

    @contextmanager
    def __call__(self, version: str) -> Iterator[str]:
        """Give the URL of a migrated, empty database on pg16 or pg18."""
        server = self._server(version)
        clean = self._clean[version]
        url = clean.pop() if clean else self._create(server, version)
        yield url
        try:
            server.execute(url, _EMPTY_EVERY_TABLE)
        except PostgresUnavailableError:
            # The test left it otherwise than empty: other tables, or somebody still at work.
            server.drop_database(url)
        else:
            clean.append(url)

    def _server(self, version: str) -> PostgresServer:
        if version not in self._servers:
            server = self._servers[version] = PostgresServer(int(version.removeprefix("pg")))
            server.start()
            template = self._templates[version] = server.create_database()
            least_privilege.migrate(server, template)
        return self._servers[version]

    def _create(self, server: PostgresServer, version: str) -> str:
        url = server.create_database(self._templates[version])
        if least_privilege.ASKED:
            # A copy has the rights on tables, and not those on the database.
            least_privilege.with_roles(server, url)
        return least_privilege.application(url)

    def restart(self, version: str) -> None:
        """Crash a server and start it again; nothing else uses it at the time."""
        self._servers[version].restart("immediate")

    def stop(self) -> None:
        """Stop every server."""
        for server in self._servers.values():
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresFixture]:
    """Give databases on real PostgreSQL servers."""
    servers = PostgresFixture()
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("template")
    anyio.run(schema.migrate, _settings(data=data))
    return data / "orderly.db"


@pytest.fixture
def closed_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[db.Database]:
    """Make a migrated, empty database that nobody has connected to yet."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        file = Path(shutil.copy(template, tmp_path / "orderly.db"))
        with _compiling_once(db.sqlite(file), request.param) as opened:
            yield opened
    else:
        with (
            request.getfixturevalue("postgres")(request.param) as url,
            _compiling_once(db.postgresql(url, pool=20), request.param) as opened,
        ):
            yield opened


_COMPILED: dict[str, Engine] = {}
"""Of each kind of engine the first that ever connected, whose dialect knows its server."""


@contextmanager
def _compiling_once(opened: db.Database, kind: str) -> Iterator[db.Database]:
    """Let the databases of a kind share what they compile, a fifth of what most tests do."""
    engines = {f"{kind} writer": opened.writer, f"{kind} reader": opened.reader}
    for name, engine in engines.items():
        if (first := _COMPILED.get(name)) is not None:
            engine.sync_engine.dialect = first.dialect
            engine.sync_engine._compiled_cache = first._compiled_cache
    yield opened
    for name, engine in engines.items():
        if engine.dialect.server_version_info is not None:
            _COMPILED.setdefault(name, engine.sync_engine)


@pytest.fixture
async def database(closed_database: db.Database) -> AsyncIterator[db.Database]:
    """Open a migrated, empty database."""
    yield closed_database
    await closed_database.close()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["valkey", "redis"])
def stream_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an engine tests share: keep to a prefix of your own and flush nothing."""
    if request.param == "valkey":
        return str(request.getfixturevalue("valkey").url)
    given = os.environ.get("TEST_REDIS_URL")
    if not given:
        pytest.skip("TEST_REDIS_URL names no Redis to test on")
    if least_privilege.ASKED:
        return str(request.getfixturevalue("lent_user"))
    return given


@pytest.fixture(scope="session")
def lent_user() -> Iterator[str]:
    """Give the URL of the Redis of TEST_REDIS_URL for a user of our own."""
    with least_privilege.lent_user(os.environ["TEST_REDIS_URL"]) as url:
        yield url


@pytest.fixture
async def stream(stream_url: str) -> AsyncIterator[Stream]:
    """Open a stream under a prefix nobody else uses."""
    opened = Stream(stream_url, prefix=least_privilege.own_prefix())
    yield opened
    await opened.close()
