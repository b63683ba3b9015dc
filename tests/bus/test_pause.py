"""Pauses: a subscriber that an operator stops stands still in every process, and loses nothing."""

import pytest

from app.bus.action import ActionKind, page_of_actions
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.delivery import park
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.pause import NotPausedError, Pauses, pause, paused, resume
from app.bus.replay import NoSubscriberError
from app.bus.stream import Stream
from app.bus.supervise import Loop, Supervisor
from app.bus.unregister import SubscriberAliveError, unregister
from app.db import Database
from tests.bus.sample import (
    Effects,
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

# A read that nobody cut short would outlast the test.
PATIENT = ConsumerPolicy(block_s=60, reclaim_every_s=0.05)
OFTEN_S = 0.05


async def pause_ears(database: Database, reason: str = "stock take") -> None:
    async with database.write() as session:
        await pause(session, "ears", who="ann", reason=reason)


async def resume_ears(database: Database) -> None:
    async with database.write() as session:
        await resume(session, "ears", who="ann")


def process(database: Database, stream: Stream, effects: Effects, name: str) -> list[Loop]:
    """Return the loops of one process: what it knows of pauses is its own."""
    pauses = Pauses(database, every_s=OFTEN_S)
    ears = listening(effects)
    return [
        pauses,
        Consumer(database, stream, ears, name, PATIENT, pauses=pauses),
        DueDeliveries(database, ears, policy=DuePolicy(poll_s=0.02), pauses=pauses),
    ]


def troubles(supervisor: Supervisor) -> set[str | None]:
    return {loop.trouble for loop in supervisor.health() if loop.name != "pauses"}


async def stands_still(*processes: Supervisor) -> bool:
    return all(troubles(one) == {"paused by ann: stock take"} for one in processes)


async def test_a_paused_subscriber_stands_still_in_every_process_and_then_goes_on(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    await subscribed(database, listening(effects))
    await stream.ensure_groups(["bells"], "ears")
    first, second = (process(database, stream, effects, name) for name in ("c1", "c2"))
    async with running(*first) as one, running(*second) as other:
        await ring(database, Rang(bell="a"))
        await relay_all(database, stream)
        await until_handled(database, "ears", 1)

        await pause_ears(database)
        await until(lambda: stands_still(one, other))
        parked = [Rang(bell="a") for _ in range(2)]
        await ring(database, *parked, *(Rang(bell="a") for _ in range(3)))
        async with database.write() as session:
            await park(session, "ears", [event.id for event in parked])
        await relay_all(database, stream)
        assert await handled_count(database, "ears") == 1
        assert len(await delivery_rows(database)) == 2
        assert (await stream.group_state("bells", "ears")).pending_ids == frozenset()

        await resume_ears(database)
        await until_handled(database, "ears", 6)
        await until(lambda: goes_on(one, other))

    assert effects.calls == 6
    async with database.read() as session:
        actions = await page_of_actions(session, before=None, limit=9)
    assert [(one.action, one.who, one.detail) for one in actions] == [
        (ActionKind.RESUME, "ann", {}),
        (ActionKind.PAUSE, "ann", {"reason": "stock take"}),
    ]


async def goes_on(*processes: Supervisor) -> bool:
    return all(troubles(one) == {None} for one in processes)


async def test_a_pause_outlives_the_process(database: Database, stream: Stream) -> None:
    effects = Effects()
    await subscribed(database, listening(effects))
    await pause_ears(database)
    await ring(database, Rang(bell="a"))
    await relay_all(database, stream)
    pauses, consumer, due = process(database, stream, effects, "c1")
    assert isinstance(pauses, Pauses)

    await pauses.look()
    async with running(pauses, consumer, due) as supervisor:
        await until(lambda: stands_still(supervisor))
        assert await handled_count(database, "ears") == 0
        await resume_ears(database)
        await until_handled(database, "ears", 1)


async def test_what_is_not_there_or_not_paused_is_refused(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, listening(Effects()))

    with pytest.raises(NotPausedError, match="ears is not paused"):
        await resume_ears(database)
    async with database.write() as session:
        with pytest.raises(NoSubscriberError):
            await pause(session, "nose", who="ann", reason="none")
        with pytest.raises(NoSubscriberError):
            await resume(session, "nose", who="ann")
    await pause_ears(database)
    await pause_ears(database, "still at it")
    with pytest.raises(SubscriberAliveError, match="resume it"):
        await unregister(database, stream, "ears", who="ann", alive_s=0)

    async with database.read() as session:
        known = await paused(session)
    assert known["ears"].told == "paused by ann: still at it"
