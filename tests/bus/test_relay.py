"""The relay: everything committed gets to the stream, in order, once the engine lets it."""

from collections import defaultdict
from random import Random
from typing import Any

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox
from app.bus.event import Envelope, Event
from app.bus.relay import Relay, RelayPolicy
from app.bus.stream import Stream
from app.bus.tables import outbox as outbox_table
from app.bus.trim import Room
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.sample import Heard, Rang, relay_all, ring, running, unpublished_count, until
from tests.transactions import counted, messages
from tests.valkey import ValkeyServer

pytestmark = pytest.mark.every_postgres


class Gone(Event):
    """A bell was taken down."""

    type = "towers.bell_gone.v1"
    subject_field = "bell"

    bell: str


async def sent(stream: Stream) -> list[Envelope]:
    entries: Any = await stream._redis.xrange(stream.key("bells"))
    return [Envelope.model_validate_json(fields["event"]) for _, fields in entries]


async def test_a_page_reaches_the_stream_in_order_and_is_marked(
    database: Database, stream: Stream
) -> None:
    events = [Rang(bell="a", volume=volume) for volume in range(30)]
    await ring(database, *events)

    await relay_all(database, stream)

    envelopes = await sent(stream)
    assert [envelope.id for envelope in envelopes] == [event.id for event in events]
    assert await unpublished_count(database) == 0
    async with database.read() as session:
        rows = (await session.execute(outbox_table.select())).all()
    assert await stream.present("bells", [row.stream_id for row in rows]) == {
        row.stream_id: row.envelope for row in rows
    }


@pytest.mark.parametrize("relays", [1, 2])
async def test_nothing_is_lost_or_turned_around_under_concurrent_writers(
    database: Database, stream: Stream, relays: int
) -> None:
    if database.single_writer and relays > 1:
        pytest.skip("SQLite has one process, hence one relay")
    random = Random(7)
    bells = [f"bell-{number}" for number in range(5)]
    locks = {bell: anyio.Lock() for bell in bells}
    volumes = dict.fromkeys(bells, 0)

    async def writer() -> None:
        for _ in range(25):
            bell = random.choice(bells)
            # The lock stands for the aggregate's row lock, held until after the commit.
            async with locks[bell], database.write() as session:
                volumes[bell] += 1
                await outbox.publish(session, Rang(bell=bell, volume=volumes[bell]))
                await anyio.sleep(random.uniform(0, 0.004))

    async def everything_published() -> bool:
        return sum(volumes.values()) == 200 and await unpublished_count(database) == 0

    async with running(*(Relay(database, stream, WakeUp()) for _ in range(relays))):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(writer)
        await until(everything_published)

    by_bell: dict[str, list[int]] = defaultdict(list)
    for envelope in await sent(stream):
        by_bell[envelope.subject].append(envelope.data["volume"])
    assert {bell: list(range(1, last + 1)) for bell, last in volumes.items()} == by_bell


async def test_a_page_takes_four_messages_to_the_database(
    database: Database, stream: Stream
) -> None:
    relay = Relay(database, stream, WakeUp())
    await ring(database, *(Rang(bell="a", volume=volume) for volume in range(3)))

    async with messages(database) as sent:
        assert await relay.publish_page() == 3

    # BEGIN with the lock, the page, marks and head, COMMIT; on SQLite its reader asks for the page.
    assert len(sent) == (2 if database.single_writer else 4), sent
    async with messages(database) as sent:
        assert await relay.publish_page() == 0
    assert len(sent) == (0 if database.single_writer else 3), sent


async def test_events_wait_in_the_database_while_the_engine_is_away(database: Database) -> None:
    server = ValkeyServer()
    stream = Stream(server.url)
    try:
        async with running(Relay(database, stream, WakeUp())) as supervisor:
            await ring(database, Rang(bell="a"))

            async def relay_waits() -> bool:
                return supervisor.health()[0].state == "waiting"

            await until(relay_waits)
            assert await unpublished_count(database) == 1

            server.start()

            async def published() -> bool:
                return await unpublished_count(database) == 0

            await until(published)
    finally:
        await stream.close()
        server.stop()


async def test_a_crash_between_append_and_mark_sends_the_same_ids_again(
    database: Database, stream: Stream
) -> None:
    event = Rang(bell="a")
    await ring(database, event)
    async with database.read() as session:
        page = await outbox.unpublished(session, 10)
    await stream.append([(row.context, row.envelope) for row in page])

    await relay_all(database, stream)

    assert [envelope.id for envelope in await sent(stream)] == [event.id, event.id]


async def test_a_commit_wakes_the_relay_at_once(database: Database, stream: Stream) -> None:
    wake_up = WakeUp()
    database.on_publish = wake_up.committed
    asleep = RelayPolicy(busy_poll_s=60, idle_poll_s=60)

    async def published() -> bool:
        return await unpublished_count(database) == 0

    async with running(Relay(database, stream, wake_up, asleep)):
        for _ in range(3):
            await ring(database, Rang(bell="a"))
            await until(published, timeout_s=5)


async def test_what_is_paused_is_left_out_and_the_rest_keeps_its_order(database: Database) -> None:
    await ring(database, Rang(bell="1"), Heard(bell="2"), Gone(bell="3"), Heard(bell="4"))
    await ring(database, Gone(bell="5"), Rang(bell="6"), Heard(bell="7"))

    async with database.read() as session:
        pages = [
            [Envelope.model_validate_json(row.envelope).subject for row in page]
            for page in (
                await outbox.unpublished(session, 9, {"bells", "noses"}),
                await outbox.unpublished(session, 4, {"bells"}),
                await outbox.unpublished(session, 4, {"ears", "attics", "bells"}),
                await outbox.unpublished(session, 4, {"ears"}),
            )
        ]

    assert pages == [
        ["2", "3", "4", "5", "7"],
        ["2", "3", "4", "5"],
        ["3", "5"],
        ["1", "3", "5", "6"],
    ]


async def test_a_page_costs_as_many_statements_as_one_event(
    database: Database, stream: Stream
) -> None:
    costs = []
    for size in (1, 400):
        await ring(database, *(Rang(bell="a") for _ in range(size)))
        with counted(database) as statements:
            assert await Relay(database, stream, WakeUp(), room=Room()).publish_page() == size
        costs.append(len([one for one in statements if not one.startswith("BEGIN")]))

    # The log's head and the mark; elsewhere the page is read by the writer as well.
    assert costs == ([2, 2] if database.single_writer else [3, 3])


async def test_a_relay_that_is_not_the_active_one_tells_of_own_commits_only(
    database: Database, stream: Stream
) -> None:
    """What was told to all was told to the active one: who tells of it again wakes all again."""
    if database.single_writer:
        pytest.skip("SQLite has one process, hence one relay")
    wake_up = WakeUp()
    relay = Relay(database, stream, wake_up)

    async with AsyncSession(database.writer) as active:
        await active.execute(text(outbox.HOLDS_RELAY_LOCK))
        wake_up.heard()
        assert await relay.publish_page() == 0
        assert not await wake_up.take_announcement(0.01)

        wake_up.committed()
        assert await relay.publish_page() == 0
        assert await wake_up.take_announcement(0.01)

        assert await relay.publish_page() == 0
        assert not await wake_up.take_announcement(0.01)
