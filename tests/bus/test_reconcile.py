"""Reconcile: every loss is proven and made due; a backlog, however old, is none."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox, settled
from app.bus.due import DueDeliveries
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import settled as settled_table
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
    until_handled,
)
from tests.least_privilege import lose

AT_ONCE = ReconcilePolicy(after_s=0, every_s=0.02, window=40)
EARS = "ears"


async def published(database: Database, stream: Stream, count: int = 3) -> list[Rang]:
    """Publish events to a stream whose group exists."""
    await subscribed(database, listening(Effects()))
    await stream.ensure_groups(["bells"], EARS)
    events = [Rang(bell="a", volume=volume) for volume in range(count)]
    await ring(database, *events)
    await relay_all(database, stream)
    return events


async def deliver(stream: Stream, count: int, *, ack: bool) -> None:
    """Give the group its next entries, and acknowledge them although nobody handled them."""
    async with stream.reader(["bells"], EARS, "c", block_s=0.2) as reader:
        entries = await reader.fresh(count)
    if ack:
        await stream.ack(EARS, entries)


async def handle(database: Database, *events: Rang) -> None:
    async with database.write() as session:
        assert len(await inbox.claim(session, EARS, [event.id for event in events])) == len(events)


async def mark(database: Database) -> int | None:
    async with database.read() as session:
        return await session.scalar(
            select(settled_table.c.log_position).where(settled_table.c.subscriber == EARS)
        )


async def entry_deleted(stream: Stream) -> None:
    client: Any = stream._redis
    (first, _), *_ = await client.xrange(stream.key("bells"))
    await client.xdel(stream.key("bells"), first)


async def trimmed_by_hand(stream: Stream) -> None:
    await stream._redis.xtrim(stream.key("bells"), maxlen=2, approximate=False)


async def pending_entry_trimmed(stream: Stream) -> None:
    await deliver(stream, 3, ack=False)
    await trimmed_by_hand(stream)


async def acknowledged_unhandled(stream: Stream) -> None:
    await deliver(stream, 1, ack=True)


async def another_event_under_its_id(stream: Stream) -> None:
    client: Any = stream._redis
    (first, _), *others = await client.xrange(stream.key("bells"))
    await lose(stream, "bells")
    stranger = '{"id":"00000000-0000-7000-8000-000000000000"}'
    for id_, fields in [(first, {"event": stranger}), *others]:
        await client.xadd(stream.key("bells"), fields, id=id_)


@pytest.mark.parametrize(
    "harm",
    [
        entry_deleted,
        trimmed_by_hand,
        pending_entry_trimmed,
        acknowledged_unhandled,
        another_event_under_its_id,
    ],
)
async def test_one_lost_delivery_is_made_due_and_the_rest_left_alone(
    database: Database, stream: Stream, harm: Callable[[Stream], Awaitable[None]]
) -> None:
    events = await published(database, stream)
    await harm(stream)

    assert await Reconcile(database, stream, AT_ONCE).run_round() == 1

    (row,) = await delivery_rows(database)
    assert (row.event_id, row.state, row.reason) == (events[0].id, "due", "lost")


async def stream_deleted(stream: Stream) -> None:
    await lose(stream, "bells")


async def stream_became_text(stream: Stream) -> None:
    await stream._redis.set(stream.key("bells"), "not a stream")


async def group_moved_to_the_end(stream: Stream) -> None:
    await stream._redis.xgroup_setid(stream.key("bells"), EARS, "$")


@pytest.mark.parametrize("harm", [stream_deleted, stream_became_text, group_moved_to_the_end])
async def test_whatever_takes_all_makes_all_due_once(
    database: Database, stream: Stream, harm: Callable[[Stream], Awaitable[None]]
) -> None:
    events = await published(database, stream, 100)
    await handle(database, *events[:10])
    await harm(stream)
    reconcile = Reconcile(database, stream, AT_ONCE)

    assert [await reconcile.run_round(), await reconcile.run_round()] == [90, 0]

    assert {row.event_id for row in await delivery_rows(database)} == {
        event.id for event in events[10:]
    }


async def delivered_and_pending(stream: Stream) -> None:
    await deliver(stream, 50, ack=False)


async def group_destroyed(stream: Stream) -> None:
    await deliver(stream, 50, ack=False)
    await stream._redis.xgroup_destroy(stream.key("bells"), EARS)


@pytest.mark.parametrize("state", [Stream.ping, delivered_and_pending, group_destroyed])
async def test_what_the_stream_will_still_give_is_not_lost(
    database: Database, stream: Stream, state: Callable[[Stream], Awaitable[None]]
) -> None:
    await published(database, stream, 100)
    await state(stream)
    reconcile = Reconcile(database, stream, AT_ONCE)

    assert [await reconcile.run_round() for _ in range(5)] == [0] * 5
    assert await delivery_rows(database) == []


async def test_the_stream_is_not_asked_about_young_events(
    database: Database, stream: Stream
) -> None:
    await published(database, stream)
    await stream_deleted(stream)

    assert await Reconcile(database, stream, ReconcilePolicy(after_s=3600)).run_round() == 0


async def test_what_was_handled_while_the_stream_was_asked_is_not_made_due(
    database: Database, stream: Stream
) -> None:
    events = await published(database, stream, 2)
    async with database.read() as session:
        seen = await settled.window(session, EARS, after=0, size=10, ripe_s=0)
    assert [one.event_id for one in seen.unsettled] == [event.id for event in events]

    await handle(database, events[0])
    async with database.write() as session:
        due = await settled.make_due(session, EARS, {event.id for event in events})

    assert due == {events[1].id}


async def test_the_mark_stays_just_before_the_oldest_unsettled(
    database: Database, stream: Stream
) -> None:
    events = await published(database, stream, 100)
    reconcile = Reconcile(database, stream, AT_ONCE)
    await reconcile.run_round()
    assert await mark(database) is None

    await handle(database, *events[:30])
    await reconcile.run_round()
    assert await mark(database) == 30
    await handle(database, *events[31:])
    await reconcile.run_round()
    assert await mark(database) == 30
    await handle(database, events[30])
    await reconcile.run_round()
    assert await mark(database) == 100


async def test_the_mark_never_passes_an_unpublished_event(
    database: Database, stream: Stream
) -> None:
    await handle(database, *await published(database, stream, 5))
    late = Rang(bell="late")
    await ring(database, late)
    reconcile = Reconcile(database, stream, AT_ONCE)
    await reconcile.run_round()

    assert await mark(database) == 5
    await relay_all(database, stream)
    await stream_deleted(stream)
    assert await reconcile.run_round() == 1


async def test_a_type_subscribed_to_later_is_watched_from_there(
    database: Database, stream: Stream
) -> None:
    await handle(database, *await published(database, stream, 5))
    reconcile = Reconcile(database, stream, AT_ONCE)
    await reconcile.run_round()
    grown = Subscriber(EARS)
    grown.on(Rang, Heard)(Effects())
    await ring(database, Heard(bell="before"))
    await relay_all(database, stream)

    await subscribed(database, grown)
    after = Heard(bell="after")
    await ring(database, after)
    await relay_all(database, stream)

    await lose(stream, "ears")
    assert await reconcile.run_round() == 1
    assert [row.event_id for row in await delivery_rows(database)] == [after.id]


async def test_one_reconciler_at_a_time_and_a_new_subscription_waits_for_it(
    database: Database, stream: Stream
) -> None:
    if database.single_writer:
        pytest.skip("SQLite has one process, hence one reconciler")
    await published(database, stream)
    await stream_deleted(stream)
    reconcile = Reconcile(database, stream, AT_ONCE)

    async with database.write() as session:
        await settled.hold(session)
        async with database.read() as other:
            assert not await settled.try_hold(other)

    assert await reconcile.run_round() == 3


async def test_a_stream_lost_again_and_again_costs_no_effect_and_doubles_none(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    reconcile = Reconcile(database, stream, AT_ONCE)

    async with running(*loops(database, stream, [ears]), reconcile):
        for _ in range(4):
            await ring(database, *(Rang(bell="a") for _ in range(50)))
            await stream_deleted(stream)
        await until_handled(database, EARS, 200)

    assert await handled_count(database, "effects") == 200


async def test_hundreds_of_losses_are_found_in_one_round_and_run(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = Subscriber(EARS)

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], _: AsyncSession) -> None:
        effects.calls += len(events)

    await published(database, stream, 600)
    await stream_deleted(stream)

    assert await Reconcile(database, stream).run_round() == 0  # too young
    assert await Reconcile(database, stream, ReconcilePolicy(after_s=0, window=200)).run_round()
    due = DueDeliveries(database, ears)
    while await due.run_page():
        pass

    assert effects.calls == await handled_count(database, EARS) == 600
    assert await delivery_rows(database) == []
