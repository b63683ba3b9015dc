"""The inbox: one row, one effect."""

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox
from app.bus.source import FromStream
from app.db import Database
from tests.bus.sample import Effects, Rang, handled_count, listening, ring, subscribed

pytestmark = pytest.mark.every_postgres


async def test_a_claim_returns_each_event_once(database: Database) -> None:
    await subscribed(database, listening(Effects()))
    events = [Rang(bell="a") for _ in range(5)]
    await ring(database, *events)
    ids = [event.id for event in events]

    async with database.write() as session:
        assert await inbox.claim(session, "ears", ids[:3]) == set(ids[:3])
    async with database.write() as session:
        assert await inbox.claim(session, "ears", [*ids, ids[4]]) == set(ids[3:])

    assert await handled_count(database, "ears") == 5


async def test_an_event_our_database_never_wrote_is_nobodys(database: Database) -> None:
    await subscribed(database, listening(Effects()))

    async with database.write() as session:
        assert await inbox.claim(session, "ears", [Rang(bell="forged").id]) == set()

    assert await handled_count(database, "ears") == 0


async def test_the_database_keeps_its_plan_of_a_claim(database: Database) -> None:
    """To plan it for each batch would cost the database more than to run it."""
    if database.single_writer:
        pytest.skip("SQLite plans when a statement is prepared")
    await subscribed(database, listening(Effects()))
    events = [Rang(bell="a") for _ in range(12)]
    await ring(database, *events)

    source = FromStream("ears")
    for event in events:
        async with database.write() as session:
            assert await source.claim(session, {event.id: 1}) == {event.id}
            await source.settle(session, {})
    async with database.read() as session:
        kept = await session.execute(
            text(
                "SELECT generic_plans FROM pg_prepared_statements"
                " WHERE statement LIKE 'INSERT INTO inbox%'"
            )
        )
        plans = kept.scalars().all()

    # The claim, and the look at what twins may have failed; the first five plans are for each run.
    assert plans == [7, 7]


async def test_an_event_nobody_subscribed_to_is_not_owed(database: Database) -> None:
    event = Rang(bell="a")
    await ring(database, event)

    async with database.write() as session:
        assert await inbox.claim(session, "strangers", [event.id]) == set()


async def test_a_rolled_back_claim_can_be_made_again(database: Database) -> None:
    await subscribed(database, listening(Effects()))
    event = Rang(bell="a")
    await ring(database, event)

    async with AsyncSession(database.writer) as session:
        await inbox.claim(session, "ears", [event.id])
        await session.rollback()

    async with database.write() as session:
        assert await inbox.claim(session, "ears", [event.id]) == {event.id}


async def test_released_events_are_free_for_the_next_try(database: Database) -> None:
    await subscribed(database, listening(Effects()))
    good, bad = Rang(bell="a"), Rang(bell="b")
    await ring(database, good, bad)

    async with database.write() as session:
        await inbox.claim(session, "ears", [good.id, bad.id])
        await inbox.release(session, "ears", [bad.id])

    async with database.write() as session:
        assert await inbox.claim(session, "ears", [good.id, bad.id]) == {bad.id}


async def test_twins_with_overlapping_batches_share_the_events_between_them(
    database: Database,
) -> None:
    await subscribed(database, listening(Effects()))
    events = [Rang(bell="a") for _ in range(200)]
    await ring(database, *events)
    won: list[set[object]] = []

    async def twin(step: int) -> None:
        async with database.write() as session:
            won.append(set(await inbox.claim(session, "ears", [e.id for e in events][::step])))

    async with anyio.create_task_group() as group:
        for step in (1, -1, 2, -2):
            group.start_soon(twin, step)

    assert sum(map(len, won)) == 200
    assert set().union(*won) == {event.id for event in events}
