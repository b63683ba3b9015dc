"""The consumer: every owed event's effects commit exactly once."""

from collections.abc import Sequence

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox, scripts
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.event import Envelope, current_context
from app.bus.retry import RetryPolicy
from app.bus.stream import Stream
from app.bus.subscriber import Failed, Subscriber
from app.bus.tables import outbox as outbox_table
from app.db import Database
from tests.bus.sample import (
    QUICK,
    SOON,
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
    until,
    until_handled,
)
from tests.least_privilege import lose


async def no_pending(stream: Stream, group: str = "ears") -> bool:
    return not (await stream.group_state("bells", group)).pending_ids


async def test_events_flow_from_commit_to_effect(database: Database, stream: Stream) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)

    async with running(*loops(database, stream, [ears])):
        await ring(database, *[Rang(bell="a") for _ in range(120)])
        await until_handled(database, "effects", 120)
        await until(lambda: no_pending(stream))

    assert effects.calls == 120


async def test_copies_of_an_event_have_one_effect(database: Database, stream: Stream) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    events = [Rang(bell="a") for _ in range(5)]
    copies = [("bells", Envelope.seal(event).to_json()) for event in events] * 3
    await ring(database, *events)
    await stream.append(copies)

    async with running(*loops(database, stream, [ears])):
        await until_handled(database, "ears", 5)
        await stream.append(copies)
        await ring(database, Rang(bell="last"))
        await until_handled(database, "ears", 6)
        await until(lambda: no_pending(stream))

    assert effects.calls == 6


async def test_what_a_killed_consumer_held_is_finished_by_its_next_life(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a") for _ in range(10)])
    await relay_all(database, stream)
    await stream.ensure_groups(["bells"], "ears")
    async with stream.reader(["bells"], "ears", "c1", block_s=0.2) as reader:
        assert len(await reader.fresh(10)) == 10
    unhurried = ConsumerPolicy(claim_idle_s=600, block_s=0.2)

    async with running(Consumer(database, stream, ears, "c1", unhurried)):
        await until_handled(database, "ears", 10)
        await until(lambda: no_pending(stream))

    assert effects.calls == 10


async def test_what_a_dead_consumer_held_is_taken_over(database: Database, stream: Stream) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a") for _ in range(60)])
    await relay_all(database, stream)
    await stream.ensure_groups(["bells"], "ears")
    async with stream.reader(["bells"], "ears", "dead", block_s=0.2) as reader:
        assert len(await reader.fresh(60)) == 60

    async with running(Consumer(database, stream, ears, "alive", QUICK)):
        await until_handled(database, "ears", 60)
        await until(lambda: no_pending(stream))

    assert effects.calls == 60


async def test_a_poison_event_is_tried_again_and_its_neighbours_go_on(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = Subscriber("ears")
    cured = anyio.Event()

    @ears.on(Rang, retry=RetryPolicy(first_s=0.05, max_attempts=10_000, most_s=0.05))
    async def hear(event: Rang, session: AsyncSession) -> None:
        if event.volume == 13 and not cured.is_set():
            raise ValueError("unlucky")
        await effects(event, session)

    await subscribed(database, ears)
    async with running(*loops(database, stream, [ears])):
        await ring(database, *[Rang(bell="a", volume=volume) for volume in range(40)])
        await until_handled(database, "effects", 39)
        await until(lambda: no_pending(stream))
        [row] = await delivery_rows(database)
        assert (row.state, row.reason, row.error_type) == ("due", "failed", "ValueError")
        cured.set()
        await until_handled(database, "effects", 40)

    assert await handled_count(database, "ears") == 40
    assert await delivery_rows(database) == []


async def test_a_batch_handler_gets_order_and_returns_what_failed(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = Subscriber("ears")
    batches: list[list[int]] = []
    first_time = [True]

    @ears.on(Rang, batch=True, retry=SOON)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> list[Failed[Rang]]:
        batches.append([event.volume for event in events])
        failed = [Failed(e, "too loud") for e in events if e.volume > 38 and first_time[0]]
        first_time[0] = False
        for event in events:
            if event not in [failure.event for failure in failed]:
                await effects(event, session)
        return failed

    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a", volume=volume) for volume in range(40)])
    await relay_all(database, stream)
    async with running(*loops(database, stream, [ears])):
        await until_handled(database, "effects", 40)
        await until(lambda: no_pending(stream))

    assert batches == [list(range(40)), [39]]


async def test_effects_and_new_events_are_one_transaction(
    database: Database, stream: Stream
) -> None:
    ears = Subscriber("ears")
    tries = [0]

    @ears.on(Rang, retry=SOON)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await outbox.publish(session, Heard(bell=event.bell))
        tries[0] += 1
        if tries[0] < 3:
            raise ValueError("after publishing")

    await subscribed(database, ears)
    cause = Rang(bell="a")
    async with running(*loops(database, stream, [ears])):
        await ring(database, cause)
        await until_handled(database, "ears", 1)

    async with database.read() as session:
        query = outbox_table.select().where(outbox_table.c.type == Heard.type)
        (row,) = (await session.execute(query)).all()
    envelope = Envelope.model_validate_json(row.envelope)
    assert envelope.causationid == cause.id
    assert envelope.correlationid == str(cause.id)
    assert current_context.get() is None


async def test_entries_that_are_not_ours_are_dropped_and_never_run(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    await stream.append(
        [
            ("bells", "not json"),
            ("bells", '{"specversion":"1.0"}'),
            ("bells", Envelope.seal(Rang(bell="forged")).to_json()),
            ("bells", Envelope.seal(Heard(bell="a type nobody here subscribed to")).to_json()),
        ]
    )

    # Bytes that are no text, and an entry without our field.
    await stream._redis.xadd(stream.key("bells"), {"event": b"\xff\xfe"})
    await stream._redis.xadd(stream.key("bells"), {"other": "1"})

    async with running(*loops(database, stream, [ears])):
        await ring(database, Rang(bell="ours"))
        await until_handled(database, "ears", 1)
        await until(lambda: no_pending(stream))

    assert effects.calls == 1


async def test_a_type_only_a_newer_build_knows_is_left_for_it(
    database: Database, stream: Stream
) -> None:
    old, new = listening(Effects()), Subscriber("ears")
    effects = Effects()
    new.on(Rang)(effects)
    new.on(Heard)(effects)
    await subscribed(database, new)
    rang, heard = Rang(bell="a"), Heard(bell="a")
    await ring(database, rang, heard)
    await stream.append([("bells", Envelope.seal(event).to_json()) for event in (rang, heard)])

    async with running(*loops(database, stream, [old])):
        await until_handled(database, "ears", 1)
        await until(lambda: no_pending(stream))
        [row] = await delivery_rows(database)
        assert (row.state, row.reason, row.attempts) == ("due", "parked", 0)
    async with running(*loops(database, stream, [new])):
        await until_handled(database, "ears", 2)

    assert effects.calls == 1
    assert await delivery_rows(database) == []


async def test_a_new_subscriber_starts_at_now(database: Database, stream: Stream) -> None:
    await ring(database, Rang(bell="before"))
    await relay_all(database, stream)
    effects = Effects()
    ears = listening(effects)

    await subscribed(database, ears)
    async with running(*loops(database, stream, [ears])):
        await ring(database, Rang(bell="after"))
        await until_handled(database, "ears", 1)
        await until(lambda: no_pending(stream))

    assert effects.calls == 1


async def test_two_consumers_of_one_subscriber_share_the_work(
    database: Database, stream: Stream
) -> None:
    if database.single_writer:
        pytest.skip("SQLite has one process, hence one consumer per subscriber")
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    # Claiming far too early makes the twins fight over live work; uniqueness must still hold.
    hasty = ConsumerPolicy(batch=10, block_s=0.2, claim_idle_s=0.01, reclaim_every_s=0.01)
    first = loops(database, stream, [ears], consumer="c1", policy=hasty)
    second = loops(database, stream, [ears], consumer="c2", policy=hasty)

    async with running(*first, *second):
        for _ in range(20):
            await ring(database, *[Rang(bell="a") for _ in range(15)])
        await until_handled(database, "ears", 300)
        await until(lambda: no_pending(stream))

    assert await handled_count(database, "effects") == 300


async def test_a_flush_of_the_engine_costs_the_group_no_later_event(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)

    async with running(*loops(database, stream, [ears])):
        for number in range(1, 6):
            await ring(database, Rang(bell="a"))
            await until_handled(database, "ears", number)
            await until(lambda: no_pending(stream))
            await lose(stream, "bells")

    assert effects.calls == 5


async def test_a_lost_group_is_made_again_without_a_hot_loop(
    database: Database, stream: Stream
) -> None:
    ears = listening(Effects())
    await subscribed(database, ears)
    attempts = 0
    ensure = stream.ensure_groups

    async def counted(contexts: Sequence[str], group: str) -> None:
        nonlocal attempts
        attempts += 1
        await ensure(contexts, group)
        await lose(stream, "bells")

    stream.ensure_groups = counted  # type: ignore[method-assign]  # the flush that always comes back
    with anyio.move_on_after(1.0):
        async with running(Consumer(database, stream, ears, "c1", QUICK)):
            await anyio.sleep_forever()

    assert 2 <= attempts <= 12


async def test_a_consumer_that_is_given_nothing_is_known_to_be_there(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, ears := listening(Effects()))

    async with running(Consumer(database, stream, ears, "idle", QUICK)):

        async def known() -> bool:
            return await scripts.quiet_s(stream, "bells", "ears") is not None

        await until(known)
        await anyio.sleep(0.6)
        quiet_s = await scripts.quiet_s(stream, "bells", "ears")

    assert quiet_s is not None
    assert quiet_s < 0.5
