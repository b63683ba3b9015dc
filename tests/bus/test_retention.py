"""Retention: what is settled goes in time, what is owed never, and what stays costs nothing."""

import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox, outbox, settled
from app.bus.retention import Retention, RetentionPolicy
from app.bus.sql import later
from app.bus.stream import Stream
from app.bus.tables import (
    delivery as delivery_table,
    failed_attempt as attempt_table,
    inbox as inbox_table,
    outbox as outbox_table,
    pruned as pruned_table,
)
from app.db import Database
from tests.bus.plans import explained, rows_touched, searched
from tests.bus.sample import Effects, Rang, listening, relay_all, ring, subscribed
from tests.least_privilege import as_owner

SMALL_STEPS = RetentionPolicy(days=14, step=3)
DAY_S = 86_400.0


async def aged(database: Database, stream: Stream, count: int, *, days: float = 15) -> list[Rang]:
    """Publish events and make them look that old."""
    events = [Rang(bell="a", volume=volume) for volume in range(count)]
    await ring(database, *events)
    await relay_all(database, stream)
    async with database.write() as session:
        await session.execute(
            update(outbox_table)
            .where(outbox_table.c.event_id.in_([each.id for each in events]))
            .values(published_at=later(-days * DAY_S))
        )
    return events


async def handle(database: Database, subscriber: str, *events: Rang) -> None:
    async with database.write() as session:
        await inbox.claim(session, subscriber, [each.id for each in events])


async def set_state(database: Database, subscriber: str, of: Rang, state: str) -> None:
    async with database.write() as session:
        await session.execute(
            insert(delivery_table).values(
                subscriber=subscriber,
                event_id=of.id,
                state=state,
                reason="failed",
                attempts=1,
                unfinished=0,
            )
        )


async def note_attempt(database: Database, subscriber: str, of: Rang) -> None:
    async with database.write() as session:
        await session.execute(
            insert(attempt_table).values(
                subscriber=subscriber,
                event_id=of.id,
                attempt=1,
                becomes="due",
                error_type="ValueError",
                error="",
            )
        )


async def a_day_passes(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(pruned_table).values(pruned_at=later(-DAY_S)))


async def kept(database: Database) -> set[UUID]:
    async with database.read() as session:
        return set(await session.scalars(select(outbox_table.c.event_id)))


async def counted(database: Database, table: Table) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_what_everybody_handled_goes_when_it_is_old_enough(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, listening(Effects()), listening(Effects(), "eyes"))
    old = await aged(database, stream, 7)
    young = await aged(database, stream, 2, days=13)
    for subscriber in ("ears", "eyes"):
        await handle(database, subscriber, *old, *young)

    assert await Retention(database, SMALL_STEPS).run_round() == 7

    assert await kept(database) == {each.id for each in young}


async def test_what_anybody_is_owed_stays_however_old(database: Database, stream: Stream) -> None:
    await subscribed(database, listening(Effects()), listening(Effects(), "eyes"))
    names = ("nobody", "one", "due", "dead", "replay", "waived")
    events = dict(zip(names, await aged(database, stream, 6), strict=True))
    await ring(database, Rang(bell="unpublished"))
    for name in ("one", "due", "dead", "replay", "waived"):
        await handle(database, "ears", events[name])
    await handle(database, "eyes", events["replay"])
    for name, state in (
        ("due", "due"),
        ("dead", "dead"),
        ("replay", "due"),
        ("waived", "discarded"),
    ):
        await set_state(database, "eyes", events[name], state)

    assert await Retention(database, SMALL_STEPS).run_round() == 1

    assert await counted(database, outbox_table) == 6
    assert events["waived"].id not in await kept(database)


async def test_what_nobody_is_owed_goes_by_age_alone(database: Database, stream: Stream) -> None:
    await aged(database, stream, 4)
    await subscribed(database, listening(Effects()))

    assert await Retention(database, SMALL_STEPS).run_round() == 4


async def test_inbox_discarded_and_attempt_rows_follow_a_day_later(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, listening(Effects()))
    events = await aged(database, stream, 8)
    await handle(database, "ears", *events[1:])
    await set_state(database, "ears", events[0], "discarded")
    for event in (events[0], events[0], events[1]):
        await note_attempt(database, "ears", event)
    retention = Retention(database, SMALL_STEPS)
    tables = (outbox_table, inbox_table, delivery_table, attempt_table, pruned_table)

    await retention.run_round()
    await retention.run_round()
    at_once = [await counted(database, table) for table in tables]
    await a_day_passes(database)
    await retention.run_round()
    a_day_later = [await counted(database, table) for table in tables]

    assert (at_once, a_day_later) == ([0, 7, 1, 3, 8], [0] * 5)


async def test_a_late_copy_of_a_pruned_event_is_not_run(database: Database, stream: Stream) -> None:
    await subscribed(database, listening(Effects()))
    (pruned,) = await aged(database, stream, 1)
    await handle(database, "ears", pruned)
    retention = Retention(database, SMALL_STEPS)

    for _ in range(2):
        await retention.run_round()
        async with database.write() as session:
            assert await inbox.claim(session, "ears", [pruned.id]) == set()
        await a_day_passes(database)


async def relay_page(session: AsyncSession) -> None:
    assert len(await outbox.unpublished(session, 100)) == 10


async def reconcile_window(session: AsyncSession) -> None:
    at = await settled.mark(session, "ears")
    seen = await settled.window(session, "ears", after=at, size=5000, ripe_s=0)
    assert len(seen.unsettled) == 10


async def inbox_claim(session: AsyncSession) -> None:
    waiting = select(outbox_table.c.event_id).order_by(outbox_table.c.position.desc()).limit(10)
    assert len(await inbox.claim(session, "ears", set(await session.scalars(waiting)))) == 10


@pytest.fixture
async def retained(database: Database) -> Database:
    """Fill a database with 50,000 events, all published and handled but for the last few."""
    if database.single_writer:
        pytest.skip("these are PostgreSQL's plans")
    await subscribed(database, listening(Effects()))
    async with database.write() as session:
        for statement in _FILL.split(";"):
            await session.execute(text(statement))
    async with as_owner(database) as connection:
        await connection.execute(text("ANALYZE outbox, inbox, subscription, settled, delivery"))
    return database


_FILL = """
INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope, published_at,
                    stream_id, log_position)
SELECT gen_random_uuid(), 'bells.bell_rang.v1', 'bells', 'a', 'a', repeat('x', 300), now(),
       n || '-0', n
  FROM generate_series(1, 50000) AS n;
INSERT INTO inbox (subscriber, event_id)
SELECT 'ears', event_id FROM outbox WHERE log_position <= 49990;
INSERT INTO settled (subscriber, log_position) VALUES ('ears', 49980);
UPDATE log_head SET position = 50000;
INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope)
SELECT gen_random_uuid(), 'bells.bell_rang.v1', 'bells', 'a', 'a', repeat('x', 300)
  FROM generate_series(1, 10)
"""


@pytest.mark.parametrize("question", [relay_page, reconcile_window, inbox_claim])
async def test_what_is_kept_costs_the_loops_nothing(
    retained: Database, question: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    async with retained.writer.connect() as connection, AsyncSession(connection) as session:
        async with explained(retained, session) as plans:
            await question(session)
        await session.rollback()

    assert plans
    for plan in plans:
        assert not searched(plan), json.dumps(plan, indent=1)
        assert rows_touched(plan) < 200
