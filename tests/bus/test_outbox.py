"""The outbox: bound to the caller's transaction, and a log once published."""

from functools import partial

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox
from app.bus.errors import NotAWriteError, NoTransactionError
from app.bus.event import Envelope
from app.bus.tables import outbox as outbox_table
from app.db import Database
from tests.bus.sample import Heard, Rang, ring, unpublished_count

pytestmark = pytest.mark.every_postgres


async def test_an_event_outside_a_transaction_is_refused(database: Database) -> None:
    async with AsyncSession(database.writer) as session:
        with pytest.raises(NoTransactionError):
            await outbox.publish(session, Rang(bell="a"))


async def test_an_event_in_a_read_session_is_refused(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(NotAWriteError):
            await outbox.publish(session, Rang(bell="a"))


async def test_an_event_whose_transaction_rolls_back_never_existed(database: Database) -> None:
    told: list[bool] = []
    database.on_publish = lambda: told.append(True)

    async def failing_use_case() -> None:
        async with database.write() as session:
            await outbox.publish(session, Rang(bell="a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing_use_case()

    assert await unpublished_count(database) == 0
    assert not told


async def test_the_relay_is_told_once_after_a_commit_that_published(database: Database) -> None:
    told: list[bool] = []
    database.on_publish = lambda: told.append(True)

    await ring(database, Rang(bell="a"), Rang(bell="b"))
    async with database.write():
        pass

    assert told == [True]


async def test_events_keep_the_order_they_were_published_in(database: Database) -> None:
    events = [Rang(bell="a", volume=volume) for volume in range(200)]
    await ring(database, *events)

    async with database.read() as session:
        page = await outbox.unpublished(session, 500)

    sent = [Envelope.model_validate_json(row.envelope) for row in page]
    assert [envelope.id for envelope in sent] == [event.id for event in events]
    assert {row.context for row in page} == {"bells"}


async def test_places_in_the_log_grow_without_a_gap(database: Database) -> None:
    await ring(database, *[Rang(bell="a") for _ in range(7)])

    for size in (3, 4):
        async with database.write() as session:
            page = await outbox.unpublished(session, size)
            await outbox.mark_published(session, page, [f"{n}-0" for n in range(len(page))])

    async with database.read() as session:
        query = select(outbox_table.c.log_position).order_by(outbox_table.c.position)
        places = list(await session.scalars(query))
        assert places == [1, 2, 3, 4, 5, 6, 7]
        assert await outbox.head(session) == 7
    assert await unpublished_count(database) == 0


async def test_one_relay_at_a_time_holds_the_right_to_publish(database: Database) -> None:
    if database.single_writer:
        pytest.skip("SQLite has one process, hence one relay")

    await ring(database, Rang(bell="a"), Heard(bell="b"))

    async def page(session: AsyncSession, *paused: str) -> list[str] | None:
        found = await outbox.relayed(session, 10, paused)
        return None if found is None else [row.context for row in found]

    relaying = partial(database.write, first=outbox.HOLDS_RELAY_LOCK)
    async with relaying() as first, AsyncSession(database.writer) as second:
        await second.execute(text(outbox.HOLDS_RELAY_LOCK))
        assert (await page(second), await page(second, "bells")) == (None, None)
        assert await page(first) == ["bells", "ears"]
        assert await page(first, "bells") == ["ears"]
        await first.commit()
        # What it may do was settled when its transaction began.
        assert await page(second) is None
    async with relaying() as second:
        assert await page(second) == ["bells", "ears"]
    async with database.write() as neither:
        assert await page(neither) is None
