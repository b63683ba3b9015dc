"""Hot statements go straight to the driver, and nobody can tell but by the clock."""

import anyio
import pytest
from sqlalchemy import (
    Column,
    Executable,
    FromClause,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import driver, transaction
from app.bus.driver import DRIVER
from app.bus.errors import is_transient
from app.bus.prepared import Fixed, Write, prepared, write
from app.bus.sql import changed
from app.bus.timeouts import Timeouts
from app.db import Database, postgresql
from tests.least_privilege import as_owner
from tests.transactions import counted, holding, trips

pytestmark = pytest.mark.every_postgres

notes = Table(
    "notes", MetaData(), Column("id", Integer(), primary_key=True), Column("said", String(40))
)


@prepared(alike=["said"], id=Integer(), said=String())
def _add(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(notes).from_select(["id", "said"], select(given.c.id, given.c.said))


_all = Fixed(select(notes.c.id, notes.c.said).order_by(notes.c.id))
_forget = Fixed(notes.delete().where(notes.c.id == bindparam("number")))


async def made(database: Database) -> None:
    async with as_owner(database) as connection:
        made = "CREATE TABLE notes (id INTEGER PRIMARY KEY, said VARCHAR(40))"
        await connection.execute(text(made))


async def found(database: Database) -> list[tuple[int, str]]:
    async with database.read() as session:
        return [tuple(row) for row in await _all.run(session)]


async def test_what_the_driver_runs_is_what_sqlalchemy_would_run(database: Database) -> None:
    await made(database)

    for number, heard in enumerate([False, True]):
        async with database.write() as session:
            if heard:
                with counted(database) as statements:
                    await _add.run(session, {"id": [2, 3], "said": ["x", None]})
                    assert len(statements) == 1
            else:
                assert driver.of(session) is not None
                await _add.run(session, {"id": [0, 1], "said": ["a", "a"]})
            [*_, last] = await _all.run(session)
            assert tuple(last) == [(1, "a"), (3, None)][number]
    assert await found(database) == [(0, "a"), (1, "a"), (2, "x"), (3, None)]


async def test_statements_that_nobody_reads_share_a_trip(database: Database) -> None:
    await made(database)
    async with database.write() as session:
        await _add.run(session, {"id": [1, 2, 3], "said": ["x", "y", "z"]})

    async with database.write() as session:
        async with trips(session) as made_here:
            await write(
                session,
                Write(_forget, {"number": 1}),
                Write(_forget, {"number": 3}),
                _add.on(session, {"id": [4, 5], "said": ["v", "w"]}),
            )
            await write(session)
        assert len(made_here) == 1, made_here
    assert await found(database) == [(2, "y"), (4, "v"), (5, "w")]


async def test_errors_are_those_of_sqlalchemy(database: Database) -> None:
    await made(database)

    async def add_twice(ids: list[int]) -> None:
        async with database.write() as session:
            await _add.run(session, {"id": [2], "said": ["gone with it"]})
            await write(session, *(_add.on(session, {"id": ids, "said": ["x", "y"]}) for _ in "ab"))

    for ids in ([1, 1], [2, 3]):
        with pytest.raises(IntegrityError) as failure:
            await add_twice(ids)
        assert not is_transient(failure.value)
    assert await found(database) == []


async def test_a_statement_after_the_commit_is_not_the_driver_s(database: Database) -> None:
    await made(database)

    async with database.write() as session:
        await _add.run(session, {"id": [1], "said": ["x"]})
        await session.commit()
        assert driver.of(session) is None
        await _add.run(session, {"id": [2], "said": ["y"]})
        await session.rollback()
    assert await found(database) == [(1, "x")]


async def test_a_savepoint_takes_back_what_came_after_it(database: Database) -> None:
    await made(database)

    async with database.write() as session:
        await _add.run(session, {"id": [1], "said": ["before"]})
        async with session.begin_nested() as savepoint:
            await write(session, _add.on(session, {"id": [2], "said": ["taken back"]}))
            await savepoint.rollback()
        async with session.begin_nested():
            await _add.run(session, {"id": [3], "said": ["kept"]})
    assert await found(database) == [(1, "before"), (3, "kept")]


async def test_whoever_rolls_back_or_closes_takes_back_hot_statements_too(
    database: Database,
) -> None:
    await made(database)

    async with database.write() as session:
        await _add.run(session, {"id": [1], "said": ["x"]})
        await session.rollback()
    async with database.write() as session:
        await _add.run(session, {"id": [2], "said": ["x"]})
        await session.close()
    assert await found(database) == []


async def test_a_statement_whose_text_depends_on_values_is_refused(database: Database) -> None:
    await made(database)

    async with database.write() as session:
        with pytest.raises(TypeError, match="depends on its parameters"):
            await Fixed(select(notes).where(notes.c.id.in_([1, 2]))).run(session)


async def test_limits_come_with_the_transaction_and_go_with_it(database: Database) -> None:
    if database.single_writer:
        pytest.skip("SQLite has none")
    timeouts = Timeouts(lock_s=1, statement_s=2, handler_s=3, idle_in_transaction_s=4)
    limited = postgresql(
        database.writer.url.render_as_string(hide_password=False), timeouts=timeouts, pool=1
    )
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")

    async def shown(session: AsyncSession) -> list[str]:
        return [str(await session.scalar(text(f"SHOW {name}"))) for name in names]

    async with limited.write() as session:
        assert await shown(session) == ["1s", "2s", "4s"]
    async with limited.write(lock_s=0.25) as session:
        assert await shown(session) == ["250ms", "2s", "4s"]
    async with limited.read() as session:
        assert await shown(session) == ["0", "0", "0"]
    await limited.close()


async def test_an_end_that_failed_leaves_the_next_transaction_nothing(database: Database) -> None:
    """Such as one that was cut short: what it was to end may be under way, and aborted."""
    if database.single_writer:
        pytest.skip("an end that fails leaves SQLite's transaction to the rollback")
    one = postgresql(database.writer.url.render_as_string(hide_password=False), pool=1)

    session = await transaction.begin(one.reader, "BEGIN")
    with pytest.raises(DBAPIError):
        await session.info[DRIVER].end("ROLLBACK TO SAVEPOINT nothing")
    await transaction.roll_back(session)

    async with one.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await one.close()


async def test_a_connection_that_was_lost_is_replaced_unseen(database: Database) -> None:
    if database.single_writer:
        pytest.skip("a file is not lost")
    await made(database)
    one = postgresql(database.writer.url.render_as_string(hide_password=False), pool=1)

    async def lose() -> None:
        async with one.read() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
        alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        with anyio.fail_after(10):
            async with database.read() as session:
                await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            while True:
                async with database.read() as session:
                    if not await session.scalar(alive, {"pid": pid}):
                        break

    await lose()
    async with one.write() as session:
        await _add.run(session, {"id": [1], "said": ["x"]})
    await lose()
    assert await found(one) == [(1, "x")]

    with pytest.raises(DBAPIError) as failure:
        async with one.write() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert is_transient(failure.value)
    assert await found(one) == [(1, "x")]
    await one.close()


async def test_a_statement_that_is_cut_short_leaves_a_sound_connection(database: Database) -> None:
    if database.single_writer:
        pytest.skip("nothing there waits for a lock in a statement")
    await made(database)
    one = postgresql(database.writer.url.render_as_string(hide_password=False), pool=1)

    async def hold(session: AsyncSession) -> None:
        await _add.run(session, {"id": [1], "said": ["held"]})

    async with holding(database, hold):
        for after_s in (0, 0.05):
            with anyio.move_on_after(after_s) as waiting:
                async with one.write() as session:
                    await _add.run(session, {"id": [1], "said": ["late"]})
            assert waiting.cancelled_caught
    async with one.write() as session:
        removed = await session.execute(notes.delete().where(notes.c.said == "late"))
        assert changed(removed) == 0
    assert await found(one) == [(1, "held")]
    await one.close()
