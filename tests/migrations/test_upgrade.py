"""Each release's database, with work under way, is taken over by this build; nothing is lost."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Connection, inspect, text

from app import schema
from app.settings import VERSION, Settings
from app.verify import verify
from tests.conftest import PostgresFixture
from tests.migrations.conftest import Fresh, opened
from tests.migrations.dumps import dump_postgresql, load_postgresql, load_sqlite
from tests.migrations.record import DAY, KEY, NOON, ONCE, RELEASES
from tests.orders.rest import order_of
from tests.system.orderly import Orderly, Shop, run
from tests.test_migrations import CLEAN
from tests.valkey import ValkeyServer

RECORDED = sorted(path.name for path in RELEASES.iterdir() if path.is_dir())

# Of what is kept, every table but those that a start or a migration writes by itself.
_NOT_COMPARED = {"alembic_version"}

_POSTGRESQL_SCHEMA = """
SELECT 'column ' || table_name || '.' || column_name,
       concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default,
                 collation_name)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint ' || conrelid::regclass || '.' || conname,
       pg_get_constraintdef(oid) || ' ' || convalidated
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index ' || indexrelid::regclass, pg_get_indexdef(indexrelid) || ' ' || indisvalid
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger ' || tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function ' || proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'sequence ' || sequencename, data_type::text
  FROM pg_sequences WHERE schemaname = 'public'
"""
_SQLITE_SCHEMA = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"


@dataclass
class Taken:
    """A database as a release left it, and what names it."""

    environment: Mapping[str, str]
    directory: Path

    @property
    def settings(self) -> Settings:
        """The same, as this process takes it."""
        if "APP_DATA" in self.environment:
            return Settings.model_validate({"data": Path(self.environment["APP_DATA"])})
        urls = {name: SecretStr(self.environment[name]) for name in ("DATABASE_URL", "REDIS_URL")}
        return Settings.model_validate(urls)


@pytest.fixture(params=["sqlite", "pg16"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name each kind of database."""
    return str(request.param)


@pytest.fixture(params=RECORDED)
def taken(
    request: pytest.FixtureRequest,
    kind: str,
    blank: Fresh,
    tmp_path: Path,
) -> Taken:
    """Load what a release left, as if that had been an hour ago."""
    environment = dict(blank(kind))
    dialect = "sqlite" if kind == "sqlite" else "postgresql"
    dump = (RELEASES / request.param / f"{dialect}.sql").read_text()
    then = datetime.now(UTC) - timedelta(hours=1)
    dump = re.sub(f"{DAY}([ T]){NOON}", lambda at: f"{then:%Y-%m-%d}{at[1]}{then:%H:%M:%S}", dump)
    if kind == "sqlite":
        data = Path(environment["APP_DATA"])
        data.mkdir(mode=0o700)
        load_sqlite(data / "orderly.db", dump)
    else:
        anyio.run(load_postgresql, environment["DATABASE_URL"], dump)
    return Taken(environment, tmp_path)


@pytest.fixture
def fresh_too(
    kind: str, fresh: Fresh, blank: Fresh, postgres: PostgresFixture
) -> Mapping[str, str]:
    """Make a database of this build's own. A loaded dump spells some casts otherwise: it is one."""
    new = fresh(kind)
    if kind == "sqlite":
        return new
    dump = dump_postgresql(postgres._server(kind), new["DATABASE_URL"])
    loaded = blank(kind)
    anyio.run(load_postgresql, loaded["DATABASE_URL"], dump)
    return loaded


@pytest.fixture
def engine() -> Iterator[ValkeyServer]:
    """Give an engine that has never heard of any of it."""
    server = ValkeyServer(persistent=False)
    server.start()
    yield server
    server.stop()


async def schema_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a database has: columns, constraints, indexes, triggers."""
    database = opened(environment)
    query = _SQLITE_SCHEMA if database.single_writer else _POSTGRESQL_SCHEMA
    async with database.read() as session:
        found = {str(name): str(what) for name, what in await session.execute(text(query))}
    await database.close()
    return found


async def rows_of(environment: Mapping[str, str]) -> dict[str, dict[str, list[Any]]]:
    """Return every value of every table, by column."""

    def read(connection: Connection) -> dict[str, dict[str, list[Any]]]:
        found: dict[str, dict[str, list[Any]]] = {}
        for table in {*inspect(connection).get_table_names()} - _NOT_COMPARED:
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).mappings().all()  # noqa: S608 - its own names
            columns = [one["name"] for one in inspect(connection).get_columns(table)]
            found[table] = {name: sorted(repr(row[name]) for row in rows) for name in columns}
        return found

    database = opened(environment)
    async with database.reader.connect() as connection:
        found = await connection.run_sync(read)
    await database.close()
    return found


def kept(
    before: dict[str, dict[str, list[Any]]], after: dict[str, dict[str, list[Any]]]
) -> dict[str, dict[str, list[Any]]]:
    """Return of after what before has too."""
    return {
        table: {name: values for name, values in columns.items() if name in before[table]}
        for table, columns in after.items()
        if table in before
    }


async def verified(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what is wrong with a database."""
    database = opened(environment)
    try:
        return (await verify(database, None)).offenders
    finally:
        await database.close()


def test_the_last_release_is_recorded() -> None:
    assert VERSION in RECORDED, "python -m tests.migrations.record, as docs/migrations.md says"


def test_it_is_migrated_to_the_schema_of_a_fresh_one(
    taken: Taken, fresh_too: Mapping[str, str]
) -> None:
    before = anyio.run(rows_of, taken.environment)
    done = run(["migrate"], taken.directory, taken.environment)

    assert done.returncode == 0, done.stderr
    assert anyio.run(schema_of, taken.environment) == anyio.run(schema_of, fresh_too)
    after = anyio.run(rows_of, taken.environment)
    assert kept(before, after) == before
    assert anyio.run(verified, taken.environment) == CLEAN


async def test_the_program_takes_it_over_and_orders_go_on(
    taken: Taken, engine: ValkeyServer
) -> None:
    environment = {**taken.environment, "APP_API_KEY": KEY, "APP_RECONCILE_AFTER_S": "0.2"}
    if "DATABASE_URL" in environment:
        environment["REDIS_URL"] = engine.url
    assert run(["migrate"], taken.directory, environment).returncode == 0

    with Orderly(taken.directory, environment) as process:
        async with Shop(process.url, key=KEY) as shop:
            resumed = await shop.http.post("/v1/ops/subscribers/orders/resume")
            resumed.raise_for_status()
            again = await shop.http.post(
                "/v1/orders", json=order_of(("MUG", 1)), headers={"Idempotency-Key": ONCE}
            )
            assert again.headers["Idempotency-Replayed"] == "true"
            [letter] = await shop.items("/v1/ops/dead-letters", state="dead")
            waiting = await last_pending(shop)
            redriven = await shop.http.post(
                f"/v1/ops/dead-letters/{letter['subscriber']}/{letter['event_id']}/redrive"
            )
            redriven.raise_for_status()
            assert (await shop.settled(waiting))["status"] == "confirmed"
            await shop.all_settled(30)
            assert await shop.count(status="rejected") == 1
            # One hold was overdue, and one still holds.
            assert await shop.count(status="expired") == 2
            assert await shop.count(status="reserved") == 1
            placed = await shop.order({"MUG": 1})
            assert (await shop.settled(placed["id"]))["status"] == "confirmed"
        with anyio.fail_after(30):
            while (done := run(["verify"], taken.directory, environment)).returncode != 0:
                await anyio.sleep(0.2)
        assert "0 violations" in done.stdout


async def last_pending(shop: Shop) -> str:
    """Wait until all orders but one are settled; return that one."""
    with anyio.fail_after(60):
        while len(found := await shop.items("/v1/orders", status="pending")) > 1:
            await anyio.sleep(0.05)
    return str(found[0]["id"])


@pytest.mark.parametrize("revision", ["0004", "0007"])
def test_from_schemas_before_the_release_what_they_know_is_kept(
    taken: Taken, revision: str
) -> None:
    config = schema.alembic_config(taken.settings)
    command.downgrade(config, revision)
    before = anyio.run(rows_of, taken.environment)

    command.upgrade(config, "head")

    after = anyio.run(rows_of, taken.environment)
    assert kept(before, after) == before
    assert {*after} > {*before}
    assert anyio.run(verified, taken.environment) == CLEAN
