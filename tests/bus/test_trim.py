"""Trim: nothing goes that a registered group still needs, and nothing grows past its cap."""

from typing import Any

import anyio
import pytest

from app.bus import scripts
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.relay import Relay, RelayPolicy
from app.bus.stream import Entry, Stream
from app.bus.subscriber import Subscriber
from app.bus.trim import Room, Trim, TrimPolicy
from app.bus.wakeup import WakeUp
from app.db import Database
from tests.bus.sample import (
    Effects,
    Heard,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    loops,
    relay_all,
    ring,
    running,
    subscribed,
    unpublished_count,
    until,
    until_handled,
)
from tests.valkey import ValkeyServer

OFTEN = TrimPolicy(every_s=0.02, full_every_s=0.02, unread=500)


async def filled(database: Database, stream: Stream, count: int, *groups: str) -> None:
    """Publish events to a stream whose groups are registered and exist."""
    for group in groups:
        await subscribed(database, listening(Effects(), group))
        await stream.ensure_groups(["bells"], group)
    await ring(database, *(Rang(bell="a") for _ in range(count)))
    await relay_all(database, stream)


async def read(stream: Stream, group: str, count: int, *, ack: int) -> list[Entry]:
    """Deliver the next entries to a group and acknowledge the first of them."""
    async with stream.reader(["bells"], group, "c", block_s=0.2) as reader:
        entries = await reader.fresh(count)
    if ack:
        await stream.ack(group, entries[:ack])
    return entries


async def length(stream: Stream) -> int:
    return int(await stream._redis.xlen(stream.key("bells")))


async def test_what_every_group_acknowledged_goes_and_nothing_else(
    database: Database, stream: Stream
) -> None:
    await filled(database, stream, 10, "ears", "eyes")
    trim = Trim(database, stream, Room())
    lengths = []

    await trim.run_round()
    lengths.append(await length(stream))
    await read(stream, "ears", 10, ack=10)
    await trim.run_round()
    lengths.append(await length(stream))
    seen = await read(stream, "eyes", 6, ack=4)
    await trim.run_round()
    lengths.append(await length(stream))
    await stream.ack("eyes", seen)
    await trim.run_round()
    lengths.append(await length(stream))

    assert lengths == [10, 10, 6, 4]
    assert len(await read(stream, "eyes", 10, ack=0)) == 4


async def test_a_pending_entry_keeps_its_place_whatever_was_acknowledged_after_it(
    database: Database, stream: Stream
) -> None:
    await filled(database, stream, 10, "ears")
    first, *others = await read(stream, "ears", 10, ack=0)
    await stream.ack("ears", others)

    await Trim(database, stream, Room()).run_round()

    assert await stream.present("bells", [first.id])


async def test_nothing_goes_while_a_registered_group_is_missing_and_it_is_created(
    database: Database, stream: Stream
) -> None:
    await filled(database, stream, 10, "ears")
    await subscribed(database, listening(Effects(), "eyes"))
    await read(stream, "ears", 10, ack=10)
    trim = Trim(database, stream, Room())

    await trim.run_round()
    await trim.run_round()

    assert await length(stream) == 10
    assert len(await read(stream, "eyes", 20, ack=0)) == 10


async def test_a_group_nobody_registered_holds_nothing(database: Database, stream: Stream) -> None:
    await filled(database, stream, 10, "ears")
    await stream.ensure_groups(["bells"], "stranger")
    await read(stream, "ears", 10, ack=10)

    await Trim(database, stream, Room()).run_round()

    assert await length(stream) == 0


async def test_a_stream_nobody_subscribes_to_keeps_its_newest_entries(
    database: Database, stream: Stream
) -> None:
    room = Room()
    await ring(database, *(Rang(bell="a") for _ in range(1500)))
    relay = Relay(database, stream, WakeUp(), room=room)
    while await relay.publish_page():
        pass

    await Trim(database, stream, room, OFTEN).run_round()

    assert await length(stream) == OFTEN.unread


async def test_a_stream_nobody_subscribes_to_never_stays_full(
    database: Database, stream: Stream
) -> None:
    """Its cap may be less than it would keep; what goes is in the outbox's history all the same."""
    room = Room(cap=100)
    trim = Trim(database, stream, room, OFTEN)
    relay = Relay(database, stream, WakeUp(), RelayPolicy(page=50), room)
    await ring(database, *(Rang(bell="a") for _ in range(250)))

    for _ in range(10):
        await relay.publish_page()
        await trim.run_round()

    assert await unpublished_count(database) == 0
    assert await length(stream) == 50
    assert room.full == frozenset()


async def test_a_full_stream_pauses_and_the_others_go_on(
    database: Database, stream: Stream
) -> None:
    room = Room(cap=1000)
    trim = Trim(database, stream, room, OFTEN)
    relay = Relay(database, stream, WakeUp(), RelayPolicy(page=100), room)
    await filled(database, stream, 1000, "ears")
    await trim.run_round()
    assert room.full == {"bells"}

    await ring(database, *(Rang(bell="waits") for _ in range(20)), Heard(bell="goes"))
    assert [await relay.publish_page(), await relay.publish_page()] == [1, 0]
    assert await unpublished_count(database) == 20

    await read(stream, "ears", 50, ack=50)
    await trim.run_round()
    assert room.full == {"bells"}  # not yet a tenth below
    await read(stream, "ears", 60, ack=60)
    await trim.run_round()
    assert room.full == frozenset()
    assert await relay.publish_page() == 20


async def test_several_groups_that_lag_pause_the_stream(database: Database, stream: Stream) -> None:
    room = Room(cap=100)
    await filled(database, stream, 120, "ears", "eyes")
    await read(stream, "ears", 20, ack=20)

    await Trim(database, stream, room).run_round()

    assert room.full == {"bells"}
    assert await length(stream) == 120


@pytest.mark.parametrize("hole", [False, True], ids=["", "lag unknown"])
async def test_a_group_that_lags_alone_is_passed_by_and_its_events_become_due(
    database: Database, stream: Stream, *, hole: bool
) -> None:
    room = Room(cap=100)
    await filled(database, stream, 120, "ears", "eyes")
    entries = await read(stream, "ears", 110, ack=110)
    if hole:
        client: Any = stream._redis
        last = (await client.xrevrange(stream.key("bells"), count=1))[0][0]
        await client.xdel(stream.key("bells"), last)

    await Trim(database, stream, room).run_round()

    assert room.full == frozenset()
    assert await length(stream) == 10 - hole
    reconcile = Reconcile(database, stream, ReconcilePolicy(after_s=0))
    await reconcile.run_round()
    assert len(await delivery_rows(database, "eyes")) == len(entries) + hole


async def test_the_relay_itself_notices_a_stream_that_fills_up(
    database: Database, stream: Stream
) -> None:
    room = Room(cap=200)
    await filled(database, stream, 0, "ears")
    await ring(database, *(Rang(bell="a") for _ in range(500)))
    relay = Relay(database, stream, WakeUp(), RelayPolicy(page=100), room)

    while await relay.publish_page():
        pass

    assert await length(stream) == 200


async def test_through_a_narrow_stream_everything_arrives_once(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    room = Room(cap=100)
    _, *others = loops(database, stream, [ears])
    wake_up = WakeUp()
    relay = Relay(database, stream, wake_up, RelayPolicy(page=50, idle_poll_s=0.02), room)
    await ring(database, *(Rang(bell="a") for _ in range(300)))

    async with running(relay, *others, Trim(database, stream, room, OFTEN)):
        await until_handled(database, "ears", 300)

    assert await handled_count(database, "effects") == 300
    assert await delivery_rows(database) == []


async def test_a_full_engine_makes_events_wait_and_trimming_frees_it(database: Database) -> None:
    server = ValkeyServer()
    server.start()
    stream = Stream(server.url)
    effects = Effects()
    ears = Subscriber("ears")
    ears.on(Rang)(effects)
    await subscribed(database, ears)
    try:
        with server.client() as client:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory", used + 600_000)
            await ring(database, *(Rang(bell="a" * 80) for _ in range(2000)))
            relay, *others = loops(database, stream, [ears])

            async with running(relay) as supervisor:

                async def refused() -> bool:
                    return supervisor.health()[0].state == "waiting"

                await until(refused)
            assert await unpublished_count(database) > 0

            async with running(relay, *others, Trim(database, stream, Room(), OFTEN)):
                await until_handled(database, "ears", 2000)
        assert await handled_count(database, "effects") == 2000
    finally:
        await stream.close()
        server.stop()


async def test_a_consumer_that_died_is_forgotten_once_it_holds_nothing(
    database: Database, stream: Stream
) -> None:
    await filled(database, stream, 3, "ears", "eyes")
    trim = Trim(database, stream, Room(), TrimPolicy(tidy_every_s=0, idle_s=0.2))

    async def names() -> list[list[str]]:
        client: Any = stream._redis
        key = stream.key("bells")
        return [
            sorted(one["name"] for one in await client.xinfo_consumers(key, group))
            for group in ("ears", "eyes")
        ]

    async with stream.reader(["bells"], "ears", "holds", block_s=0.01) as reader:
        [entry] = await reader.fresh(1)
    await read(stream, "ears", 1, ack=1)
    await read(stream, "eyes", 3, ack=3)
    await trim.run_round()
    young = await names()
    await anyio.sleep(0.3)
    await scripts.show_life(stream, "bells", "eyes", "lives")
    await trim.run_round()
    held = await names()
    await stream.ack("ears", [entry])
    await anyio.sleep(0.3)
    await trim.run_round()

    assert young == [["c", "holds"], ["c"]]
    assert held == [["holds"], ["lives"]]
    assert (await names())[0] == []


async def test_idle_consumers_are_looked_for_now_and_then(
    database: Database, stream: Stream
) -> None:
    await filled(database, stream, 1, "ears")
    trim = Trim(database, stream, Room(), TrimPolicy(idle_s=0))
    await trim.run_round()

    await read(stream, "ears", 1, ack=1)
    await trim.run_round()

    client: Any = stream._redis
    assert len(await client.xinfo_consumers(stream.key("bells"), "ears")) == 1
