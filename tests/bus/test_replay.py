"""History is run again, or given to whoever came later: once each, whatever flows meanwhile."""

from datetime import UTC, datetime
from uuid import UUID

import anyio
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.action import progress
from app.bus.dead_letters import Filter
from app.bus.delivery import Reason
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.errors import PermanentError
from app.bus.event import new_id
from app.bus.redrive import redrive, redrive_all
from app.bus.replay import NoSubscriberError, Span, count_replay, fill, replay
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop
from app.bus.tables import inbox as inbox_table, outbox as outbox_table
from app.db import Database
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    loops,
    relay_all,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)

ALL = Span(from_log_position=0)


class Tally:
    """A subscriber whose effects may be many per event: one row each, under keys of their own.

    The rows are inbox rows of subscribers that do not exist, named after the event.
    """

    def __init__(self) -> None:
        self.broken = False
        self.subscriber = Subscriber("ears")
        self.subscriber.on(Rang)(self.hear)

    async def hear(self, event: Rang, session: AsyncSession) -> None:
        row = {"subscriber": f"effect {event.id}", "event_id": new_id()}
        await session.execute(inbox_table.insert(), row)
        if self.broken:
            raise PermanentError("broken")

    async def of(self, database: Database, *events: Rang) -> list[int]:
        """Return how many effects each event has."""
        async with database.read() as session:
            found = await session.scalars(select(inbox_table.c.subscriber))
        names = list(found)
        return [names.count(f"effect {event.id}") for event in events]


async def nothing_due(database: Database) -> bool:
    return not await delivery_rows(database)


async def positions(database: Database, *events: Rang) -> list[int]:
    async with database.read() as session:
        query = select(outbox_table.c.event_id, outbox_table.c.log_position)
        places: dict[UUID, int] = {
            row.event_id: row.log_position for row in await session.execute(query)
        }
    return [places[event.id] for event in events]


async def history(
    database: Database, stream: Stream, subscriber: Subscriber, number: int
) -> list[Rang]:
    """Have so many events handled, and return them in the order of the log."""
    await subscribed(database, subscriber)
    events = [Rang(bell="a") for _ in range(number)]
    async with running(*loops(database, stream, [subscriber])):
        await ring(database, *events)
        await until_handled(database, "ears", number)
    return events


async def test_a_replay_has_effects_once_more_with_two_loops_at_work(
    database: Database, stream: Stream
) -> None:
    tally = Tally()
    events = await history(database, stream, tally.subscriber, 60)

    async with database.write() as session:
        action = await replay(session, "ears", ALL, who="ann")
        again = await replay(session, "ears", ALL, who="ann")
    twins: list[Loop] = [
        DueDeliveries(database, tally.subscriber, policy=DuePolicy(page=7, poll_s=0.01, lease_s=60))
        for _ in range(2)
    ]
    async with running(*twins):
        await until(lambda: nothing_due(database))

    assert (action.total, again.total) == (60, 0)
    assert await tally.of(database, *events) == [2] * 60
    assert await handled_count(database, "ears") == 60
    async with database.read() as session:
        assert (await progress(session, action.id)).done == 60


async def test_a_replay_takes_a_part_of_history(database: Database, stream: Stream) -> None:
    tally = Tally()
    events = await history(database, stream, tally.subscriber, 6)
    first, *_, last = await positions(database, *events)
    start = datetime(2001, 1, 1, tzinfo=UTC)
    spans = [
        (Span(from_log_position=first + 1, until_log_position=last - 1), [1, 2, 2, 2, 2, 1]),
        (Span(from_time=start, until_log_position=first), [2, 2, 2, 2, 2, 1]),
        (Span(from_time=start, until_time=start.replace(year=2002)), [2, 2, 2, 2, 2, 1]),
        (Span(from_time=start, until_time=start.replace(year=2999)), [3, 3, 3, 3, 3, 2]),
    ]

    for span, effects in spans:
        async with database.write() as session:
            counted = await count_replay(session, "ears", span)
            action = await replay(session, "ears", span, who="ann")
            left = await count_replay(session, "ears", span)
        assert (counted, left) == (action.total, 0)
        await DueDeliveries(database, tally.subscriber).run_page()
        assert await tally.of(database, *events) == effects
        assert action.detail == span.described


async def test_a_failed_replay_can_be_redriven_and_still_runs(
    database: Database, stream: Stream
) -> None:
    tally = Tally()
    events = await history(database, stream, tally.subscriber, 2)
    due = DueDeliveries(database, tally.subscriber)
    tally.broken = True
    async with database.write() as session:
        await replay(session, "ears", ALL, who="ann")
    await due.run_page()
    assert {(row.state, row.reason) for row in await delivery_rows(database)} == {
        ("dead", Reason.REPLAY)
    }

    tally.broken = False
    done = await redrive(database, [tally.subscriber], "ears", events[0].id, who="ann")
    async with database.write() as session:
        await redrive_all(session, Filter(), who="ann")
    await due.run_page()

    assert done.outcome == "handled"
    assert await delivery_rows(database) == []
    assert await tally.of(database, *events) == [2, 2]


async def test_what_was_not_handled_yet_is_not_replayed(database: Database, stream: Stream) -> None:
    tally = Tally()
    await subscribed(database, tally.subscriber)
    events = [Rang(bell="a") for _ in range(3)]
    await ring(database, *events)
    await relay_all(database, stream)

    async with database.write() as session:
        action = await replay(session, "ears", ALL, who="ann")
    async with running(*loops(database, stream, [tally.subscriber])):
        await until_handled(database, "ears", 3)

    assert action.total == 0
    assert await tally.of(database, *events) == [1, 1, 1]


async def test_only_a_known_subscriber_has_history(database: Database) -> None:
    with pytest.raises(NoSubscriberError):
        async with database.write() as session:
            await replay(session, "nobody", ALL, who="ann")
    with pytest.raises(NoSubscriberError):
        async with database.write() as session:
            await fill(session, "nobody", who="ann")


async def test_a_fill_has_no_gap_and_no_duplicate_while_events_flow(
    database: Database, stream: Stream
) -> None:
    early = [Rang(bell="a") for _ in range(40)]
    await ring(database, *early)
    await relay_all(database, stream)
    effects = Effects()
    ears = listening(effects)
    late: list[Rang] = []

    async def keep_ringing() -> None:
        for _ in range(15):
            events = [Rang(bell="a") for _ in range(4)]
            late.extend(events)
            await ring(database, *events)

    relay, *others = loops(database, stream, [ears])
    async with running(relay), anyio.create_task_group() as group:
        group.start_soon(keep_ringing)
        await subscribed(database, ears)
        async with running(*others):
            async with database.write() as session:
                action = await fill(session, "ears", who="ann")
            await until_handled(database, "ears", 100)
            async with database.write() as session:
                again = await fill(session, "ears", who="ann")
            await until(lambda: nothing_due(database))

    assert action.total >= 40
    assert again.total == 0
    assert effects.calls == await handled_count(database, "effects") == 100
    assert len(late) == 60


async def test_a_subscriber_may_ask_for_history_when_it_registers(
    database: Database, stream: Stream
) -> None:
    await ring(database, *[Rang(bell="a") for _ in range(30)])
    await relay_all(database, stream)
    effects = Effects()
    ears = Subscriber("ears", start="fill")
    ears.on(Rang)(effects)

    async with anyio.create_task_group() as group:
        group.start_soon(subscribed, database, ears)
        group.start_soon(subscribed, database, ears)
    assert {row.reason for row in await delivery_rows(database)} == {"fill"}
    async with running(*loops(database, stream, [ears])):
        await ring(database, *[Rang(bell="a") for _ in range(10)])
        await until_handled(database, "ears", 40)
    await subscribed(database, ears)

    assert effects.calls == 40
    assert await delivery_rows(database) == []
