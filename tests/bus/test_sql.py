"""Where the two databases differ, they answer the same."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import (
    BigInteger,
    Executable,
    FromClause,
    Integer,
    String,
    Text,
    Uuid,
    bindparam,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.arrays import text_array
from app.bus.event import new_id
from app.bus.prepared import prepared
from app.bus.sql import code, now, rows
from app.db import Database


async def test_a_table_of_values_comes_back_as_it_went_in(database: Database) -> None:
    ids = [new_id() for _ in range(3)]
    texts = ['quote " and \\ and \u00e9', "", "{brace,comma}"]
    numbers = [0, -1, 2**62]

    async with database.read() as session:
        given = rows(
            session, id=(Uuid(), ids), text=(code(40), texts), number=(BigInteger(), numbers)
        )
        found = (await session.execute(select(given.c.id, given.c.text, given.c.number))).all()

    assert [tuple(row) for row in found] == list(zip(ids, texts, numbers, strict=True))
    assert all(isinstance(row[0], UUID) for row in found)


async def test_a_table_of_no_values_is_empty(database: Database) -> None:
    async with database.read() as session:
        given = rows(session, id=(Uuid(), []))

        assert (await session.execute(select(given.c.id))).all() == []


async def test_a_table_may_have_more_rows_than_a_statement_has_parameters(
    database: Database,
) -> None:
    async with database.read() as session:
        given = rows(session, number=(BigInteger(), range(70_000)))
        found = list(await session.scalars(select(given.c.number)))

    assert len(found) == 70_000


async def test_the_databases_clock_is_aware_and_right(database: Database) -> None:
    async with database.read() as session:
        moment = (await session.execute(select(now()))).scalar_one()

    assert moment.tzinfo is not None
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_prepared_statement_is_built_once_and_run_on_any_columns(
    database: Database,
) -> None:
    built = 0

    @prepared(name=String(), units=Integer())
    def doubled(session: AsyncSession, given: FromClause) -> Executable:
        nonlocal built
        built += 1
        del session
        factor = bindparam("factor", type_=Integer())
        return select(given.c.name, given.c.units * factor).order_by(given.c.name)

    async with database.read() as session:
        one = await doubled.run(session, {"name": ["a"], "units": [1]}, factor=2)
        assert [tuple(row) for row in one] == [("a", 2)]
        two = await doubled.run(session, {"name": ["c", "b"], "units": [3, None]}, factor=3)
        assert [tuple(row) for row in two] == [("b", None), ("c", 9)]
    assert built == 1


async def test_what_is_the_same_in_every_row_travels_once_and_changes_nothing(
    database: Database,
) -> None:
    @prepared(alike=["name", "units"], id=Uuid(), name=code(40), units=Integer(), note=Text())
    def given_back(session: AsyncSession, given: FromClause) -> Executable:
        del session
        return select(given.c.id, given.c.name, given.c.units, given.c.note).order_by(given.c.id)

    nasty = ['quote " and \\ and \u00e9\n', "", "NULL", "{brace,comma}", "\x01"]
    ids = sorted(new_id() for _ in nasty)
    for names in (nasty, ["same"] * 5, [None] * 5, ["a", None, "b", None, "NULL"], ['"'] * 5):
        for units in ([7] * 5, [None] * 5, [1, 2, None, 4, 5]):
            columns = {"id": ids, "name": names, "units": units, "note": nasty}
            async with database.read() as session:
                found = await given_back.run(session, columns)
            assert [tuple(row) for row in found] == list(zip(ids, names, units, nasty, strict=True))


async def test_a_text_with_nul_is_refused_where_it_could_be_taken_for_two() -> None:
    with pytest.raises(ValueError, match="NUL"):
        text_array(["a\0b"])
    with pytest.raises(ValueError, match="NUL"):
        text_array(["a\0b", None])
