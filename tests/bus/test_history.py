"""History by place: whoever follows it misses nothing, meets nothing twice, and is told of gaps."""

import json
import random
import runpy
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from sqlalchemy import delete, event, select, text, update

from app import migrations
from app.bus import history, outbox
from app.bus.history import HistoryGoneError, NoSuchPlaceError, Slice
from app.bus.outbox import Unpublished
from app.bus.relay import Relay, RelayPolicy
from app.bus.retention import Retention, RetentionPolicy
from app.bus.sql import later
from app.bus.stream import Stream
from app.bus.tables import log_head, outbox as outbox_table
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.plans import explained, rows_touched, searched
from tests.bus.sample import Heard, Rang, ring, unpublished_count

DAY_S = 86_400.0
MIGRATION = Path(migrations.__file__).parent / "versions" / "0006_history.py"


async def publish_all(database: Database) -> None:
    """Mark as published what waits, as a relay does, without a stream."""
    async with database.write() as session:
        page: Sequence[Unpublished] = await outbox.unpublished(session, 1000)
        if page:
            await outbox.mark_published(session, page, [f"1-{n}" for n in range(len(page))])


async def read(
    database: Database, after: int | None = None, *types: str, limit: int = 100
) -> Slice:
    async with database.read() as session:
        return await history.read(session, after=after, types=types, limit=limit)


def volumes(page: Slice) -> list[int]:
    return [json.loads(envelope)["data"]["volume"] for envelope in page.envelopes]


async def test_events_come_in_the_order_of_their_publication(database: Database) -> None:
    await ring(database, *(Rang(bell="a", volume=volume) for volume in range(3)))
    await publish_all(database)
    await ring(database, Rang(bell="a", volume=3))  # not published yet

    whole = await read(database)
    first = await read(database, limit=2)
    second = await read(database, first.position, limit=2)

    assert volumes(whole) == [0, 1, 2]
    assert (whole.position, whole.is_last) == (3, True)
    assert (volumes(first), first.position, first.is_last) == ([0, 1], 2, False)
    assert (volumes(second), second.position, second.is_last) == ([2], 3, True)
    assert await read(database, 3) == Slice(envelopes=[], position=3, is_last=True)


async def test_an_empty_log_is_a_place_to_begin(database: Database) -> None:
    begun = await read(database)
    await ring(database, Rang(bell="a", volume=7))
    await publish_all(database)

    assert begun == Slice(envelopes=[], position=0, is_last=True)
    assert volumes(await read(database, begun.position)) == [7]


async def test_a_filter_passes_over_the_rest_and_says_how_far_it_looked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ring(database, *(Heard(bell="a") for _ in range(5)), Rang(bell="a", volume=1))
    await publish_all(database)

    found = await read(database, None, Rang.type)
    monkeypatch.setattr(history, "_SCAN", 4)
    short = await read(database, None, Rang.type)
    rest = await read(database, short.position, Rang.type)

    assert (volumes(found), found.position, found.is_last) == ([1], 6, True)
    assert short == Slice(envelopes=[], position=4, is_last=False)
    assert (volumes(rest), rest.position, rest.is_last) == ([1], 6, True)


async def test_a_reader_that_retention_overtook_is_told(database: Database) -> None:
    await ring(database, *(Rang(bell="a", volume=volume) for volume in range(4)))
    await publish_all(database)
    async with database.write() as session:
        aged = outbox_table.c.log_position <= 3
        await session.execute(
            update(outbox_table).where(aged).values(published_at=later(-15 * DAY_S))
        )
    assert await Retention(database, RetentionPolicy(days=14)).run_round() == 3

    with pytest.raises(HistoryGoneError):
        await read(database, 0)
    with pytest.raises(HistoryGoneError):
        await read(database, 2)
    assert volumes(await read(database, 3)) == [3]
    assert volumes(await read(database)) == [3]


async def test_what_stayed_behind_the_pruned_is_not_taken_for_whole(database: Database) -> None:
    await ring(database, *(Rang(bell="a", volume=volume) for volume in range(4)))
    await publish_all(database)
    # A dead letter keeps the first one; the next two are gone.
    async with database.write() as session:
        await session.execute(delete(outbox_table).where(outbox_table.c.log_position.in_([2, 3])))
        await session.execute(update(log_head).values(pruned_position=3))

    with pytest.raises(HistoryGoneError):
        await read(database, 1)
    begun = await read(database)

    assert (volumes(begun), begun.position) == ([3], 4)


@pytest.mark.parametrize(
    ("kept", "gone"), [([1, 2, 3, 4], 0), ([3, 4], 2), ([1, 4], 3), ([2, 4], 3), ([], 4)]
)
async def test_a_database_that_pruned_before_it_kept_count_is_counted_out(
    database: Database, kept: list[int], gone: int
) -> None:
    await ring(database, *(Rang(bell="a", volume=volume) for volume in range(4)))
    await publish_all(database)
    async with database.write() as session:
        await session.execute(delete(outbox_table).where(outbox_table.c.log_position.not_in(kept)))
        await session.execute(text(runpy.run_path(str(MIGRATION))["_LAST_MISSING"]))

    async with database.read() as session:
        assert await session.scalar(select(log_head.c.pruned_position)) == gone


async def test_a_place_beyond_the_end_is_another_databases(database: Database) -> None:
    with pytest.raises(NoSuchPlaceError):
        await read(database, 1)


class Log:
    """Writers, relays and readers at once, over one log."""

    writers, each = 6, 8

    def __init__(self, database: Database, stream: Stream) -> None:
        self._database = database
        self._stream = stream
        self._written = 0
        self.total = self.writers * self.each
        self.seen: list[list[int]] = []

    async def write(self, writer: int) -> None:
        for number in range(self.each):
            async with self._database.write() as session:
                # Positions are taken here, and commits come in another order than that.
                await outbox.publish(session, Rang(bell="a", volume=writer * self.each + number))
                await anyio.sleep(random.random() / 200)
        self._written += 1

    async def relay(self) -> None:
        relay = Relay(self._database, self._stream, WakeUp(), RelayPolicy(page=5))
        while self._written < self.writers or await unpublished_count(self._database):
            await relay.publish_page()
            await anyio.sleep(0.001)

    async def follow(self, limit: int) -> None:
        after: int | None = None
        mine: list[int] = []
        while len(mine) < self.total:
            page = await read(self._database, after, limit=limit)
            mine += volumes(page)
            after = page.position
            await anyio.sleep(0.001)
        self.seen.append(mine)


async def test_nothing_is_missed_or_met_twice_while_others_commit_and_relays_mark(
    database: Database, stream: Stream
) -> None:
    log = Log(database, stream)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for writer in range(log.writers):
                group.start_soon(log.write, writer)
            for _ in range(1 if database.single_writer else 2):
                group.start_soon(log.relay)
            for limit in (1, 7, 100):
                group.start_soon(log.follow, limit)

    assert len(log.seen) == 3
    for reader in log.seen:
        assert sorted(reader) == list(range(log.total))
        assert reader == log.seen[0]


async def falls_behind(database: Database) -> bool:
    async with database.read() as session:
        return await history.falls_behind(session, by_s=60)


async def make_older(database: Database, seconds: float, *, published: bool) -> None:
    column = outbox_table.c.published_at if published else outbox_table.c.created_at
    is_published = outbox_table.c.published_at.is_not(None)
    async with database.write() as session:
        await session.execute(
            update(outbox_table)
            .where(is_published if published else ~is_published)
            .values({column.name: later(-seconds)})
        )


async def test_a_relay_that_cannot_keep_up_falls_behind(database: Database) -> None:
    assert not await falls_behind(database)
    await ring(database, Rang(bell="a"))
    await publish_all(database)
    assert not await falls_behind(database)
    await ring(database, Rang(bell="a"), Rang(bell="b"))
    assert not await falls_behind(database)

    await make_older(database, 61, published=False)

    assert await falls_behind(database)


async def test_a_relay_that_publishes_nothing_at_all_is_an_outage_and_no_overload(
    database: Database,
) -> None:
    await ring(database, Rang(bell="a"))
    await make_older(database, 3600, published=False)
    assert not await falls_behind(database)  # none was ever published
    await publish_all(database)
    await ring(database, Rang(bell="a"))
    await make_older(database, 3600, published=False)
    assert await falls_behind(database)

    await make_older(database, 30, published=True)

    assert not await falls_behind(database)


async def test_reading_is_one_statement(database: Database) -> None:
    await ring(database, Rang(bell="a"))
    await publish_all(database)
    async with database.read() as session:
        said: list[str] = []
        connection = await session.connection()

        @event.listens_for(connection.sync_connection, "before_cursor_execute")
        def note(*args: object) -> None:
            said.append(str(args[2]))

        await history.read(session, after=0, types=[Rang.type], limit=10)

    assert len(said) == 1


_LONG_LOG = """
INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope, published_at,
                    stream_id, log_position)
SELECT gen_random_uuid(), 'bells.bell_rang.v1', 'bells', 'a', 'a', repeat('x', 300), now(),
       n || '-0', n
  FROM generate_series(1, 20000) AS n;
UPDATE log_head SET position = 20000;
ANALYZE outbox
"""


@pytest.mark.parametrize("after", [None, 10_000, 19_990])
async def test_however_long_the_log_a_page_costs_a_page(
    database: Database, after: int | None
) -> None:
    if database.single_writer:
        pytest.skip("these are PostgreSQL's plans")
    async with database.write() as session:
        for statement in _LONG_LOG.split(";"):
            await session.execute(text(statement))
    async with database.read() as session, explained(database, session) as plans:
        page = await history.read(session, after=after, types=[], limit=20)
        assert not await history.falls_behind(session, by_s=1)

    assert len(page.envelopes) == min(20, 20_000 - (after or 0))
    assert len(plans) == 2
    for plan in plans:
        assert not searched(plan), json.dumps(plan, indent=1)
        assert rows_touched(plan) < 100
