"""Databases: one writer at a time, and the URLs people have."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.bus.errors import is_transient
from app.bus.timeouts import Timeouts
from app.db import Database, NestedWriteError, normalise, postgresql, sqlite
from app.errors import StartupError
from tests.faults.proxy import Proxy
from tests.least_privilege import as_owner

pytestmark = pytest.mark.every_postgres


async def counter(database: Database) -> None:
    async with as_owner(database) as connection:
        await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))


async def test_read_then_write_transactions_lose_no_update(database: Database) -> None:
    await counter(database)
    lock = "" if database.single_writer else " FOR UPDATE"

    async def add_one() -> None:
        async with database.write() as session:
            n = await session.scalar(text(f"SELECT n FROM counter{lock}"))  # noqa: S608
            await session.execute(text("UPDATE counter SET n = :n"), {"n": (n or 0) + 1})

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(add_one)

    async with database.read() as session:
        assert await session.scalar(text("SELECT n FROM counter")) == 100


async def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(
    database: Database,
) -> None:
    async with database.write():
        with pytest.raises(NestedWriteError):
            async with database.write():
                pass


async def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    await counter(database)

    async def failing_use_case() -> None:
        async with database.write() as session:
            await session.execute(text("UPDATE counter SET n = 7"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing_use_case()

    async with database.read() as session:
        assert await session.scalar(text("SELECT n FROM counter")) == 0


async def test_a_snapshot_sees_one_moment_and_cannot_write(database: Database) -> None:
    await counter(database)

    async with database.snapshot() as session:
        before = await session.scalar(text("SELECT n FROM counter"))
        async with database.write() as other:
            await other.execute(text("UPDATE counter SET n = 7"))
        assert await session.scalar(text("SELECT n FROM counter")) == before
        with pytest.raises(DBAPIError):
            await session.execute(text("UPDATE counter SET n = 8"))


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_statement_that_is_cancelled_ends_at_once_and_leaves_nothing(
    database: Database, kind: str
) -> None:
    await counter(database)
    tasks, threads = asyncio.all_tasks(), threading.active_count()

    async def wait_for_long() -> None:
        async with database.read() if kind == "read" else database.write() as session:
            await session.execute(text(_LONG if database.single_writer else "SELECT pg_sleep(60)"))

    with anyio.fail_after(10):
        for _ in range(3):
            for after_s in (0, 0.02):
                with anyio.move_on_after(after_s):
                    await wait_for_long()
                task = asyncio.ensure_future(wait_for_long())
                await asyncio.sleep(after_s)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        # Neither a task that closes a connection nor, on SQLite, a thread that still counts.
        while asyncio.all_tasks() - tasks or threading.active_count() > threads + 1:
            await asyncio.sleep(0.01)
        async with database.write() as session:
            await session.execute(text("UPDATE counter SET n = n + 1"))
        async with database.read() as session, database.read() as other:
            assert await session.scalar(text("SELECT n FROM counter")) == 1
            assert await other.scalar(text("SELECT n FROM counter")) == 1


_LONG = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000000)
SELECT count(*) FROM numbers
"""


@pytest.mark.parametrize("after_s", [0, 0.02])
def test_no_thread_of_a_closed_database_answers_an_event_loop_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)

    database = sqlite(tmp_path / "one.db")

    async def cut_short() -> None:
        async def wait_for_long() -> None:
            async with database.read() as session:
                await session.execute(text(_LONG))

        task = asyncio.ensure_future(wait_for_long())
        await asyncio.sleep(after_s)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await database.close()

    before = threading.enumerate()
    asyncio.run(cut_short())
    for thread in set(threading.enumerate()) - set(before):
        thread.join(5)
        assert not thread.is_alive()

    assert died == []


async def test_a_server_that_is_not_there_is_worth_waiting_for() -> None:
    database = postgresql("postgresql://127.0.0.1:9/none")

    with pytest.raises(Exception) as failure:  # noqa: PT011 - whatever it is, it must be transient
        async with database.read() as session:
            await session.execute(text("SELECT 1"))

    assert is_transient(failure.value)
    await database.close()


@pytest.mark.parametrize("closed_database", ["pg18"], indirect=True)
@pytest.mark.parametrize("vanishes", ["between transactions", "in one"])
async def test_a_server_that_vanishes_without_a_word_is_given_up_in_time(
    database: Database, vanishes: str
) -> None:
    url = database.writer.url
    if "host" not in url.query:
        pytest.skip("the server of TEST_DATABASE_URL has no socket to put a proxy before")
    quick = Timeouts(lock_s=0.1, statement_s=0.2, handler_s=1, idle_in_transaction_s=5)
    async with Proxy(Path(str(url.query["host"])) / ".s.PGSQL.5432") as proxy:
        address = f"postgresql://postgres@127.0.0.1:{proxy.port}/{url.database}"
        behind = postgresql(address, timeouts=quick)
        async with behind.read() as session:
            await session.execute(text("SELECT 1"))

        failure: Exception | None = None
        with anyio.move_on_after(10) as waiting:
            try:
                if vanishes == "between transactions":
                    proxy.hold()
                async with behind.write() as session:
                    proxy.hold()
                    await session.execute(text("SELECT 1"))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be transient
                failure = error
        assert not waiting.cancelled_caught
        assert failure is not None
        assert is_transient(failure)

        proxy.heal()
        async with behind.read() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await behind.close()


async def test_a_mistake_in_a_statement_is_not_worth_waiting_for(database: Database) -> None:
    with pytest.raises(DBAPIError) as failure:
        async with database.read() as session:
            await session.execute(text("SELECT nothing FROM nowhere"))

    assert not is_transient(failure.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    url, _ = normalise(f"{scheme}://me:pw@db.example:5433/shop?application_name=orderly")

    assert url.render_as_string(hide_password=False) == (
        "postgresql+asyncpg://me:pw@db.example:5433/shop?application_name=orderly"
    )


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-full"])
def test_sslmode_reaches_the_driver_under_its_own_name(mode: str) -> None:
    url, arguments = normalise(f"postgresql://db/shop?sslmode={mode}")

    assert arguments["ssl"] == mode
    assert "sslmode" not in url.query


def test_a_root_certificate_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(StartupError, match=r"sslrootcert /nowhere\.pem cannot be read"):
        normalise("postgresql://db/shop?sslmode=verify-full&sslrootcert=/nowhere.pem")


async def test_a_statement_out_of_time_is_worth_another_try(database: Database) -> None:
    """A busy server may be why, or a process that stood still in the middle of the statement."""
    if database.single_writer:
        pytest.skip("SQLite has no such limit")
    async with database.writer.connect() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 50"))
        with pytest.raises(DBAPIError) as failure:
            await connection.execute(text("SELECT pg_sleep(5)"))

    assert is_transient(failure.value)
