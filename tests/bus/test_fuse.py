"""The fuse: a bad deploy pauses its subscriber, a few poisonous events do not."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.fuse import Fuse
from app.bus.retry import Outcome, RetryPolicy
from app.bus.stream import Stream
from app.bus.subscriber import Failed, Subscriber
from app.db import Database
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    relay_all,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)

POLICY = ConsumerPolicy(batch=10, block_s=0.2, pause_s=0.3, reclaim_every_s=0.05)
PATIENT = RetryPolicy(first_s=1e6, most_s=1e6)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log."""
    with capture_logs() as lines:
        yield lines


def pauses(logs: list[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["event"] == "subscriber paused"]


@pytest.mark.parametrize(
    ("outcomes", "blown"),
    [
        ([], False),
        ([True] * 19, False),
        ([True] * 20, True),
        ([True] * 18 + [False] * 2, True),
        ([True] * 17 + [False] * 3, False),
        ([False] * 1000 + [True] * 89, False),
        ([False] * 1000 + [True] * 90, True),
        (([True] + [False] * 19) * 100, False),
    ],
)
def test_it_blows_when_nearly_all_of_the_last_events_failed(
    outcomes: list[bool], *, blown: bool
) -> None:
    fuse = Fuse(window=100, least=20, share=0.9)

    for failed in outcomes:
        fuse.note(failed=failed)

    assert fuse.blown is blown
    fuse.reset()
    assert not fuse.blown


async def test_a_subscriber_that_fails_everything_pauses_and_goes_on_when_cured(
    database: Database, stream: Stream, logs: list[EventDict]
) -> None:
    ears, effects, calls, cured = Subscriber("ears"), Effects(), [0], [False]

    @ears.on(Rang, retry=PATIENT)
    async def hear(event: Rang, session: AsyncSession) -> None:
        calls[0] += 1
        if not cured[0]:
            raise ValueError("a bad deploy")
        await effects(event, session)

    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a") for _ in range(200)])
    await relay_all(database, stream)
    consumer = Consumer(database, stream, ears, "c1", POLICY)
    async with running(consumer, DueDeliveries(database, ears, policy=DuePolicy())) as supervisor:

        async def is_paused() -> bool:
            [state, *_] = supervisor.health()
            return state.state == "waiting" and str(state.trouble).startswith("paused: ")

        async def probed() -> bool:
            return len(await delivery_rows(database)) >= 23

        await until(is_paused)
        assert supervisor.health()[0].trouble == "paused: 20 of the last 20 events failed"
        await until(probed)
        assert await is_paused()
        assert len(pauses(logs)) == 1
        assert supervisor.troubles() == []
        cured[0] = True
        failed = len(await delivery_rows(database))
        await until_handled(database, "ears", 200 - failed)
        assert supervisor.health()[0].trouble is None

    assert failed <= 25
    assert len(pauses(logs)) == 1
    assert pauses(logs)[0]["log_level"] == "error"
    assert len(await delivery_rows(database)) == failed


async def test_events_that_prove_nothing_do_not_prolong_a_pause(
    database: Database, stream: Stream
) -> None:
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang, retry=PATIENT)
    async def hear(event: Rang, session: AsyncSession) -> None:
        if event.volume == 0:
            raise ValueError("a bad deploy")
        await effects(event, session)

    await subscribed(database, ears)
    bad = [Rang(bell="a", volume=0) for _ in range(20)]
    await ring(database, *bad)
    await relay_all(database, stream)
    await stream.append([("bells", "not ours")] * 50)
    await ring(database, *[Rang(bell="a") for _ in range(5)])
    await relay_all(database, stream)

    async with running(Consumer(database, stream, ears, "c1", POLICY)):
        await until_handled(database, "ears", 5)

    assert len(await delivery_rows(database)) == 20


@pytest.mark.parametrize("how", ["rare", "returned", "discarded"])
async def test_what_is_rare_or_expected_never_pauses(
    database: Database, stream: Stream, logs: list[EventDict], how: str
) -> None:
    ears = Subscriber("ears")
    rules: dict[type[Exception], Outcome]
    rules = {ValueError: Outcome.DISCARD} if how == "discarded" else {}

    async def hear(event: Rang, session: AsyncSession) -> None:
        await session.execute(select(1))
        if how == "discarded" or event.volume % 20 < 3:
            raise ValueError("poison")

    async def hear_all(events: Sequence[Rang], _session: AsyncSession) -> list[Failed[Rang]]:
        return [Failed(event, "expected") for event in events]

    if how == "returned":
        ears.on(Rang, batch=True, retry=PATIENT)(hear_all)
    else:
        ears.on(Rang, retry=RetryPolicy(first_s=1e6, most_s=1e6, rules=rules))(hear)
    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a", volume=volume) for volume in range(100)])
    await relay_all(database, stream)

    async with running(Consumer(database, stream, ears, "c1", POLICY)):

        async def settled() -> bool:
            rows = len(await delivery_rows(database))
            return rows + await handled_count(database, "ears") == 100

        await until(settled)

    assert pauses(logs) == []
    assert len(await delivery_rows(database)) == (15 if how == "rare" else 100)
