"""The kit for modules' tests, by using it as a module's author would."""

from collections.abc import AsyncIterator

import anyio
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import PermanentError
from app.bus.outbox import publish
from app.bus.retry import RetryPolicy
from app.bus.sql import later
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import outbox as outbox_table
from app.bus.testing.clock import Clock
from app.bus.testing.crash import Moment, NotSettledError
from app.bus.testing.scenario import Scenario, play
from app.bus.timer import Timer
from app.db import Database
from tests.bus.sample import Heard, Rang

ears = Subscriber("kit-ears")


@ears.on(Rang)
async def hear(event: Rang, session: AsyncSession) -> None:
    """Answer, but for a bell that is broken."""
    if event.bell == "broken":
        raise PermanentError("it has a crack")
    await publish(session, Heard(bell=event.bell))


@pytest.fixture
async def scenario(database: Database, stream: Stream) -> AsyncIterator[Scenario]:
    async with play(database, stream, ears) as scenario:
        yield scenario


async def test_an_event_is_handled_and_its_consequence_seen(scenario: Scenario) -> None:
    await scenario.publish(Rang(bell="a"), Rang(bell="b"))

    heard = await scenario.wait_for(Heard, where=lambda event: event.bell == "b")

    await scenario.drain()
    assert heard.bell == "b"
    assert [event.bell for event in await scenario.published(Heard)] == ["a", "b"]


@pytest.mark.parametrize("moment", list(Moment))
async def test_a_crash_around_the_commit_costs_and_doubles_nothing(
    scenario: Scenario, moment: Moment
) -> None:
    with scenario.crash(ears, moment) as crash:
        await scenario.publish(Rang(bell="a"))
        await crash.happened()
        committed = len(await scenario.published(Heard))

    await scenario.drain()
    assert committed == (moment is Moment.AFTER_COMMIT)
    assert len(await scenario.published(Heard)) == 1


async def test_a_copy_on_the_stream_is_handled_once(scenario: Scenario) -> None:
    rang = Rang(bell="a")
    await scenario.publish(rang)
    await scenario.drain()

    await scenario.duplicate(rang)
    await scenario.publish(Rang(bell="b"))

    await scenario.wait_for(Heard, where=lambda event: event.bell == "b")
    await scenario.drain()
    assert [event.bell for event in await scenario.published(Heard)] == ["a", "b"]


async def test_what_is_given_up_is_shown_and_is_not_waited_for(scenario: Scenario) -> None:
    await scenario.publish(Rang(bell="broken"))

    await scenario.drain()

    (letter,) = await scenario.dead_letters()
    assert (letter.subscriber, letter.error) == ("kit-ears", "it has a crack")


async def test_retries_do_not_wait_for_their_time(database: Database, stream: Stream) -> None:
    tries: list[str] = []
    slow = Subscriber("kit-slow")

    @slow.on(Rang, retry=RetryPolicy(max_attempts=3, first_s=3600, most_s=7200))
    async def fail_twice(event: Rang, session: AsyncSession) -> None:
        tries.append(event.bell)
        if len(tries) < 3:
            raise ValueError("not yet")
        await publish(session, Heard(bell=event.bell))

    async with play(database, stream, slow) as scenario:
        await scenario.publish(Rang(bell="a"))
        await scenario.drain()

        assert len(tries) == 3
        assert len(await scenario.published(Heard)) == 1


async def test_a_drain_that_waits_in_vain_says_for_what(database: Database, stream: Stream) -> None:
    done = anyio.Event()
    slow = Subscriber("kit-slow")

    @slow.on(Rang)
    async def wait(_: Rang, __: AsyncSession) -> None:
        await done.wait()

    async with play(database, stream, slow) as scenario:
        await scenario.publish(Rang(bell="a"))
        with pytest.raises(NotSettledError, match="there are still 1 deliveries on their way"):
            await scenario.drain(within_s=0.3)
        done.set()


async def test_what_never_came_is_told(scenario: Scenario) -> None:
    with pytest.raises(NotSettledError, match=r"no ears\.bell_heard\.v1 that fits"):
        await scenario.wait_for(Heard, within_s=0.05)
    with (
        scenario.crash(ears, Moment.BEFORE_COMMIT) as crash,
        pytest.raises(NotSettledError, match="nobody died"),
    ):
        await crash.happened(within_s=0.05)


@pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
async def test_time_passes_at_once(closed_database: Database, stream: Stream) -> None:
    clock = Clock()
    clock.rule(closed_database.writer, closed_database.reader)
    rung: list[str] = []

    async def ring_hourly(session: AsyncSession) -> int:
        """Ring again for each bell that was silent for an hour."""
        old = select(func.count()).where(
            outbox_table.c.type == Rang.type, outbox_table.c.created_at <= later(-3600)
        )
        if rung or not await session.scalar(old):
            return 0
        rung.append("again")
        await publish(session, Rang(bell="again"))
        return 1

    async with play(
        closed_database, stream, ears, timers=[Timer("hourly", ring_hourly)], clock=clock
    ) as scenario:
        await scenario.publish(Rang(bell="first"))
        await scenario.pass_time(1800)
        assert not rung

        await scenario.pass_time(1801)

        assert [event.bell for event in await scenario.published(Heard)] == ["first", "again"]
    await closed_database.close()


async def test_without_a_clock_time_does_not_pass(scenario: Scenario) -> None:
    with pytest.raises(NotSettledError, match="no clock"):
        await scenario.pass_time(1)
