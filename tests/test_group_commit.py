"""Group commit: whoever writes at the same time shares a transaction, and nobody's fault."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app import group_commit
from app.bus.event import Context, current_context
from app.bus.metrics import REGISTRY
from app.db import Database, NestedWriteError
from app.errors import AppError, OverloadedError
from tests.least_privilege import as_owner

pytestmark = pytest.mark.every_postgres


class RefusedError(AppError):
    """Not wanted."""


class Notes:
    """A kind of work: writes texts down, and remembers which came in one transaction."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_write = anyio.Event()
        self.may_write.set()

    async def write(self, session: AsyncSession, items: Sequence[str]) -> list[str | AppError]:
        """Refuse "no", break at "bug", and fail at COMMIT, not before, because of "doubt"."""
        self.batches.append(list(items))
        await self.may_write.wait()
        assert current_context.get() is None
        outcomes: list[str | AppError] = []
        for item in items:
            if item == "no":
                outcomes.append(RefusedError("no"))
                continue
            if item == "bug":
                raise ZeroDivisionError
            values = {"item": item, "doubt": item if item == "doubt" else None}
            await session.execute(text("INSERT INTO notes VALUES (:item, :doubt)"), values)
            outcomes.append(item.upper())
        return outcomes


@pytest.fixture
async def notes(database: Database) -> AsyncIterator[Notes]:
    """Make a table whose foreign key is looked at when the transaction commits."""
    async with as_owner(database) as connection:
        await connection.execute(text("CREATE TABLE known (note VARCHAR(20) PRIMARY KEY)"))
        await connection.execute(
            text(
                "CREATE TABLE notes (note VARCHAR(20) UNIQUE, doubt VARCHAR(20)"
                " REFERENCES known (note) DEFERRABLE INITIALLY DEFERRED)"
            )
        )
    yield Notes()
    async with as_owner(database) as connection:
        await connection.execute(text("DROP TABLE notes"))
        await connection.execute(text("DROP TABLE known"))


async def written(database: Database) -> list[str]:
    async with database.read() as session:
        return sorted(await session.scalars(text("SELECT note FROM notes")))


async def ask(database: Database, notes: Notes, *items: str) -> list[object]:
    """Ask for all at once, and return what each was answered or refused with."""
    current_context.set(Context(correlation_id="a request"))
    asked = (database.together(notes.write, item) for item in items)
    return await asyncio.gather(*asked, return_exceptions=True)


async def until(batches: int, notes: Notes) -> None:
    with anyio.fail_after(10):
        while len(notes.batches) < batches:
            await anyio.sleep(0.01)


async def test_what_comes_during_a_transaction_shares_the_next(
    database: Database, notes: Notes
) -> None:
    items = [f"n{number}" for number in range(20)]

    answers = await ask(database, notes, *items)

    assert answers == [item.upper() for item in items]
    assert notes.batches == [items]
    assert await written(database) == sorted(items)


async def test_nobody_waits_for_company(database: Database, notes: Notes) -> None:
    notes.may_write = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(ask, database, notes, "first")
        await until(1, notes)
        group.start_soon(ask, database, notes, "second", "third")
        await anyio.sleep(0.05)
        assert notes.batches == [["first"]]
        notes.may_write.set()

    assert notes.batches == [["first"], ["second", "third"]]


async def test_a_refusal_is_the_item_s_own(database: Database, notes: Notes) -> None:
    first, refused, last = await ask(database, notes, "a", "no", "b")

    assert (first, last) == ("A", "B")
    assert isinstance(refused, RefusedError)
    assert notes.batches == [["a", "no", "b"]]
    assert await written(database) == ["a", "b"]


@pytest.mark.parametrize("fault", ["bug", "a"])
async def test_a_fault_is_the_item_s_own(database: Database, notes: Notes, fault: str) -> None:
    """Whether the work raises or a constraint does, the others are written, once."""
    await ask(database, notes, "a")

    answers = await ask(database, notes, "b", "c", fault, "d", "e")

    kind = ZeroDivisionError if fault == "bug" else DBAPIError
    assert isinstance(answers.pop(2), kind)
    assert answers == ["B", "C", "D", "E"]
    assert await written(database) == ["a", "b", "c", "d", "e"]


async def test_a_commit_that_fails_is_not_tried_again(database: Database, notes: Notes) -> None:
    """Its error may mean that it happened: nobody can tell, so nobody is promised anything."""
    answers = await ask(database, notes, "a", "doubt", "b")

    assert all(isinstance(answer, DBAPIError) for answer in answers)
    assert notes.batches == [["a", "doubt", "b"]]
    assert await ask(database, notes, "c") == ["C"]


async def test_who_gives_up_in_line_has_written_nothing(database: Database, notes: Notes) -> None:
    notes.may_write = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(ask, database, notes, "first")
        await until(1, notes)
        with anyio.move_on_after(0.05):
            await ask(database, notes, "gone")
        group.start_soon(ask, database, notes, "last")
        await anyio.sleep(0.01)
        notes.may_write.set()

    assert notes.batches == [["first"], ["last"]]
    assert await written(database) == ["first", "last"]


async def test_who_gives_up_under_way_breaks_nothing(database: Database, notes: Notes) -> None:
    notes.may_write = anyio.Event()
    answers: list[object] = []

    async def stays() -> None:
        answers.extend(await ask(database, notes, "stays"))

    async def leaves() -> None:
        await ask(database, notes, "leaves")

    async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
        leaving.start_soon(leaves)
        group.start_soon(stays)
        await until(1, notes)
        leaving.cancel_scope.cancel()
        notes.may_write.set()

    assert answers == ["STAYS"]
    assert await written(database) == ["leaves", "stays"]


async def test_a_lock_somebody_holds_is_waited_for_by_who_needs_it(
    database: Database, notes: Notes
) -> None:
    if database.single_writer:
        pytest.skip("one writer at a time: there are no locks to meet")
    answers: dict[str, object] = {}

    async def one(item: str) -> None:
        [answers[item]] = await ask(database, notes, item)

    async with anyio.create_task_group() as group, database.writer.begin() as other:
        await other.execute(text("INSERT INTO notes VALUES ('held')"))
        for item in ("a", "b", "held", "c", "d"):
            group.start_soon(one, item)
        with anyio.fail_after(10):
            while len(answers) < 4:
                await anyio.sleep(0.01)
        assert "held" not in answers
        await other.rollback()

    assert answers == {item: item.upper() for item in ("a", "b", "held", "c", "d")}
    assert await written(database) == ["a", "b", "c", "d", "held"]


async def test_a_transaction_has_bounds(
    database: Database, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_TOGETHER", 3)
    monkeypatch.setattr(group_commit, "MOST_WEIGHT", 10)
    weights = {"a": 1, "b": 1, "c": 1, "d": 9, "e": 1, "f": 1, "g": 99, "h": 1}

    await asyncio.gather(
        *(database.together(notes.write, item, weight=weight) for item, weight in weights.items())
    )

    assert ["".join(batch) for batch in notes.batches] == ["abc", "de", "f", "g", "h"]


async def test_loops_that_are_behind_go_first(
    database: Database, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_TOGETHER", 1)
    monkeypatch.setattr(group_commit, "GIVES_WAY_S", 60)
    behind = True
    database.is_behind = lambda: behind
    async with anyio.create_task_group() as group:
        group.start_soon(ask, database, notes, "a", "b")
        await until(1, notes)
        await anyio.sleep(0.05)
        assert notes.batches == [["a"]]
        behind = False

    assert notes.batches == [["a"], ["b"]]


async def test_loops_that_stay_behind_stop_nobody(
    database: Database, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_TOGETHER", 1)
    monkeypatch.setattr(group_commit, "GIVES_WAY_S", 0.05)
    database.is_behind = lambda: True

    assert await ask(database, notes, "a", "b", "c") == ["A", "B", "C"]


async def test_too_many_are_told_to_come_back(
    database: Database, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING", 2)
    before = REGISTRY.get_sample_value("orderly_group_commit_refused_total") or 0

    answers = await ask(database, notes, "a", "b", "c")

    assert answers[:2] == ["A", "B"]
    assert isinstance(answers[2], OverloadedError)
    assert answers[2].headers["Retry-After"]
    assert REGISTRY.get_sample_value("orderly_group_commit_refused_total") == before + 1
    assert await ask(database, notes, "c") == ["C"]


async def test_a_stop_waits_for_what_was_asked(database: Database, notes: Notes) -> None:
    """Its clients may have left; then nobody else waits for it."""
    notes.may_write = anyio.Event()
    with anyio.move_on_after(0.1):
        await ask(database, notes, "under way")
    async with anyio.create_task_group() as group:
        group.start_soon(database.close)
        await anyio.sleep(0.05)
        notes.may_write.set()

    assert await written(database) == ["under way"]


async def test_it_is_no_part_of_another_transaction(database: Database, notes: Notes) -> None:
    async with database.write():
        with pytest.raises(NestedWriteError):
            await database.together(notes.write, "a")
