"""What the stream delivers again and again is set apart, and only when it may be to blame."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.consumer import Consumer
from app.bus.event import Envelope
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.db import Database
from tests.bus.owing import passing_trouble
from tests.bus.sample import (
    QUICK,
    Effects,
    Heard,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    relay_all,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)


async def deliver_and_die(stream: Stream, times: int) -> None:
    """Be a consumer that takes everything and dies, so many times over."""
    await stream.ensure_groups(["bells"], "ears")
    async with stream.reader(["bells"], "ears", "c1", block_s=0.2) as reader:
        await reader.fresh(100)
        for _ in range(times - 1):
            await reader.own_pending(100, {})


async def nothing_pending(stream: Stream) -> bool:
    return not (await stream.group_state("bells", "ears")).pending_ids


async def test_after_two_deaths_an_event_is_due_and_runs_alone(
    database: Database, stream: Stream
) -> None:
    ears = listening(Effects())
    await subscribed(database, ears)
    events = [Rang(bell="a") for _ in range(5)]
    await ring(database, *events)
    await relay_all(database, stream)
    await deliver_and_die(stream, 2)

    async with running(Consumer(database, stream, ears, "c1", QUICK)):
        await until(lambda: nothing_pending(stream))

    rows = await delivery_rows(database)
    assert {row.event_id for row in rows} == {event.id for event in events}
    assert {(row.state, row.attempts, row.unfinished) for row in rows} == {("due", 1, 1)}


async def test_what_no_handler_runs_is_never_set_apart(database: Database, stream: Stream) -> None:
    ears = listening(Effects())
    await subscribed(database, ears)
    stranger = Heard(bell="a")
    await ring(database, stranger)
    await stream.append([("bells", Envelope.seal(stranger).to_json()), ("bells", "not ours")])
    await deliver_and_die(stream, 5)

    async with running(Consumer(database, stream, ears, "c1", QUICK)):
        await until(lambda: nothing_pending(stream))

    assert await delivery_rows(database) == []


async def test_an_engine_that_fails_again_and_again_sets_nothing_apart(
    database: Database, stream: Stream
) -> None:
    """A batch is delivered once more after each failure, which proves nothing against it."""
    ears, effects, troubles = Subscriber("ears"), Effects(), [0]

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> None:
        if troubles[0] < 30:
            troubles[0] += 1
            raise passing_trouble()
        for event in events:
            await effects(event, session)

    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a") for _ in range(40)])
    await relay_all(database, stream)
    async with running(Consumer(database, stream, ears, "c1", QUICK)):
        await until_handled(database, "ears", 37)
        await until(lambda: nothing_pending(stream))

    # Three were blamed, after three failures each alone while the database answered.
    rows = await delivery_rows(database)
    assert {row.unfinished for row in rows} <= {0}
    assert len(rows) + await handled_count(database, "effects") == 40
