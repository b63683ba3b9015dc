"""A migration beside others: at once, behind a lock, and killed in the middle."""

import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import asyncpg
import pytest
from sqlalchemy import Connection, inspect, text

from app.bus.timeouts import Timeouts
from app.db import Database
from app.migrations.online import LOCK_TIMEOUT_S
from tests.migrations.conftest import Fresh, opened
from tests.migrations.planted import Planted, Run, head

TIMES = 20 if os.environ.get("TEST_LONG") else 2
INDEX = 'online.create_index("ix_planted", "orders", ["customer_id", "created_at"])'
COLUMN = 'op.add_column("orders", sa.Column("planted", sa.Integer()))'
ORDER = """
INSERT INTO orders (id, customer_id, status, currency, total_minor, version)
VALUES ('o-1', 'c-1', 'pending', 'GBP', 4, 1);
INSERT INTO order_lines (order_id, sku, position, title, quantity, unit_price_minor)
VALUES ('o-1', 'MUG', 1, 'Mug', 1, 4)
"""
STOPS = """
op.add_column("orders", sa.Column("half", sa.Integer()))
here = Path(__file__).parent
(here / "reached").touch()
while not (here / "go").exists():
    time.sleep(0.01)
op.add_column("orders", sa.Column("whole", sa.Integer()))
"""


@asynccontextmanager
async def looking(environment: Mapping[str, str]) -> AsyncIterator[Database]:
    """Open the database that is migrated."""
    database = opened(environment)
    try:
        yield database
    finally:
        await database.close()


async def found(environment: Mapping[str, str]) -> tuple[str, set[str], set[str]]:
    """Return the revision, and the columns and the indexes of orders."""

    def look(connection: Connection) -> tuple[str, set[str], set[str]]:
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        seen = inspect(connection)
        columns = {each["name"] for each in seen.get_columns("orders")}
        return str(version), columns, {str(one["name"]) for one in seen.get_indexes("orders")}

    async with looking(environment) as database, database.reader.connect() as connection:
        return await connection.run_sync(look)


async def until_there(path: Path) -> None:
    """Wait for a file."""
    with anyio.fail_after(30):
        while not await anyio.Path(path).exists():
            await anyio.sleep(0.01)


@asynccontextmanager
async def reader(environment: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """Hold a transaction open that has read orders."""
    url = environment["DATABASE_URL"].replace("+asyncpg", "")
    connection = await asyncpg.connect(url, server_settings={"application_name": "a long report"})
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders")
    try:
        yield connection
    finally:
        await connection.close()


async def keep_writing(environment: Mapping[str, str], waits: list[float]) -> None:
    """Write to orders again and again, as requests do, and note how long each took."""
    async with looking(environment) as database:
        while True:
            began = time.monotonic()
            async with database.write() as session:
                await session.execute(text("UPDATE orders SET version = version"))
            waits.append(time.monotonic() - began)
            await anyio.sleep(0.01)


def test_what_waits_for_a_table_gives_up_before_those_who_wait_behind_it() -> None:
    assert Timeouts().lock_s > LOCK_TIMEOUT_S


@pytest.mark.parametrize("time_", range(TIMES))
def test_from_nothing_twice_at_once(blank: Fresh, tmp_path: Path, time_: int) -> None:
    del time_
    environment = blank("pg18")
    both = [Run(["app", "migrate"], tmp_path, environment) for _ in range(2)]

    assert [each.ended()[0] for each in both] == [0, 0]
    assert anyio.run(found, environment)[0] == head()


@pytest.mark.parametrize("time_", range(TIMES))
def test_embedded_twice_at_once_is_done_by_one_of_them(
    blank: Fresh, tmp_path: Path, time_: int
) -> None:
    del time_
    environment = blank("sqlite")
    both = [Run(["app", "migrate"], tmp_path, environment) for _ in range(2)]
    ends = [each.ended() for each in both]

    assert 0 in {code for code, _ in ends}
    # Whoever comes while the other is at it is told so; later there is nothing to do.
    assert all(code == 0 or "already runs on" in said for code, said in ends), ends
    assert anyio.run(found, environment)[0] == head()


async def test_an_index_is_built_while_another_run_waits_for_its_turn(on_servers: Planted) -> None:
    last = [on_servers.add(STOPS), on_servers.add(INDEX)][-1]
    first = on_servers.migrate()
    await until_there(on_servers.folder / "reached")
    second = on_servers.migrate()
    with anyio.fail_after(30):
        while await sessions(on_servers.environment, "advisory_lock|^COMMIT") < 1:
            await anyio.sleep(0.05)

    (on_servers.folder / "go").touch()

    for each in (first, second):
        code, said = await anyio.to_thread.run_sync(each.ended)
        assert code == 0, said
    revision, columns, indexes = await found(on_servers.environment)
    assert (revision, "whole" in columns, "ix_planted" in indexes) == (last, True, True)


async def test_killed_in_the_middle_it_is_taken_up_where_it_was(planted: Planted) -> None:
    before, last = planted.add(COLUMN), planted.add(STOPS)
    first = planted.migrate()
    await until_there(planted.folder / "reached")
    first.process.send_signal(signal.SIGKILL)
    assert first.ended()[0] == -signal.SIGKILL
    revision, columns, _ = await found(planted.environment)
    assert revision == before
    assert not columns & {"half", "whole"}

    (planted.folder / "go").touch()
    code, said = planted.migrate().ended()

    assert code == 0, said
    revision, columns, _ = await found(planted.environment)
    assert revision == last
    assert columns >= {"planted", "half", "whole"}


async def test_an_index_whose_building_was_killed_is_built_anew(on_servers: Planted) -> None:
    last = on_servers.add(INDEX)
    async with reader(on_servers.environment):
        first = on_servers.migrate()
        with anyio.fail_after(30):
            while "ix_planted" not in (await found(on_servers.environment))[2]:
                await anyio.sleep(0.02)
        first.process.send_signal(signal.SIGKILL)
        first.ended()
        assert await invalid(on_servers.environment) == ["ix_planted"]
        # The server has noticed, though its statement still waits for the reader.
        with anyio.fail_after(10):
            while await sessions(on_servers.environment, "^CREATE INDEX"):
                await anyio.sleep(0.05)
    code, said = on_servers.migrate().ended()

    assert code == 0, said
    revision, _, indexes = await found(on_servers.environment)
    assert (revision, "ix_planted" in indexes) == (last, True)
    assert await invalid(on_servers.environment) == []


async def invalid(environment: Mapping[str, str]) -> list[str]:
    """Return the indexes that are of no use."""
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    async with looking(environment) as database, database.read() as session:
        return list(await session.scalars(text(query)))


async def sessions(environment: Mapping[str, str], pattern: str) -> int:
    """Return how many sessions there are whose last statement is of a pattern."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query ~ :pattern AND pid <> pg_backend_pid()"
    )
    async with looking(environment) as database, database.read() as session:
        return int(await session.scalar(text(query), {"pattern": pattern}) or 0)


async def test_behind_a_long_reader_writers_go_on_and_it_tries_again(on_servers: Planted) -> None:
    last = on_servers.add(COLUMN)
    waits: list[float] = []
    async with anyio.create_task_group() as group, reader(on_servers.environment) as held:
        group.start_soon(keep_writing, on_servers.environment, waits)
        migration = on_servers.migrate()
        with anyio.fail_after(30):
            # It stood in their way once, and let them pass.
            while max(waits, default=0) < LOCK_TIMEOUT_S / 2 or waits[-1] > LOCK_TIMEOUT_S / 2:
                await anyio.sleep(0.02)
        assert migration.process.poll() is None
        assert "planted" not in (await found(on_servers.environment))[1]
        await held.execute("COMMIT")
        code, said = await anyio.to_thread.run_sync(migration.ended)
        group.cancel_scope.cancel()

    assert code == 0, said
    assert max(waits) < Timeouts().lock_s, max(waits)
    revision, columns, _ = await found(on_servers.environment)
    assert (revision, "planted" in columns) == (last, True)


async def test_a_table_that_is_never_free_is_one_sentence(on_servers: Planted) -> None:
    on_servers.add(COLUMN)
    async with reader(on_servers.environment):
        code, said = on_servers.migrate("-x", "lock_wait_s=0.5").ended()

    assert code == 1
    (sentence,) = said.strip().splitlines()
    assert "did not get in 0.5 s; the oldest open transaction is that of process" in sentence
    assert "(a long report)" in sentence
    assert (await found(on_servers.environment))[0] == head()
    assert on_servers.migrate().ended()[0] == 0


async def test_another_run_that_does_not_end_is_one_sentence(on_servers: Planted) -> None:
    on_servers.add(STOPS)
    first = on_servers.migrate()
    await until_there(on_servers.folder / "reached")

    code, said = on_servers.migrate("-x", "lock_wait_s=0.3").ended()

    (on_servers.folder / "go").touch()
    assert code == 1
    assert said.strip().endswith("wait for its end, and run this again.")
    assert first.ended()[0] == 0


async def test_the_command_gives_up_when_it_is_told_to(blank: Fresh, tmp_path: Path) -> None:
    environment = blank("pg18")
    async with looking(environment) as database, database.read() as session:
        await session.execute(text(f"SELECT pg_advisory_lock({0x0EDE_0002})"))
        words = ["app", "migrate", "--lock-wait-s", "0.3"]
        code, said = Run(words, tmp_path, environment).ended()

    assert code == 1
    assert said.startswith("orderly: Another migration of this database has run for 0.3 s: ")
    assert len(said.splitlines()) == 1


async def test_on_sqlite_a_table_that_others_refer_to_may_be_made_anew(
    fresh: Fresh, tmp_path: Path
) -> None:
    environment = fresh("sqlite")
    (tmp_path / "planted").mkdir()
    planted = Planted(tmp_path / "planted", environment)
    planted.add(
        """
with op.batch_alter_table("orders") as orders:
    orders.add_column(sa.Column("planted", sa.Integer()))
    orders.create_check_constraint("ck_orders_planted", "planted > 0")
"""
    )
    async with looking(environment) as database, database.write() as session:
        for statement in ORDER.split(";"):
            await session.execute(text(statement))

    code, said = planted.migrate().ended()

    assert code == 0, said
    async with looking(environment) as database, database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM order_lines")) == 1
    lost = planted.add('op.execute("DELETE FROM orders")')
    code, said = planted.migrate().ended()
    assert code == 1
    assert said.strip().endswith("a row of order_lines would refer to no orders.")
    assert (await found(environment))[0] < lost
