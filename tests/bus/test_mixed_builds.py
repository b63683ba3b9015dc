"""A rolling deploy: two builds share a group, and each runs what it knows."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.consumer import ConsumerPolicy
from app.bus.event import Event
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.verdict import DeadLettered
from app.db import Database
from tests.bus.owing import published
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    loops,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)

SMALL = ConsumerPolicy(batch=5, block_s=0.1, claim_idle_s=5, reclaim_every_s=0.05)


class RangV2(Event):
    """A bell rang, in the version of the new build, which reads the old one too."""

    type = "bells.bell_rang.v2"
    subject_field = "bell"
    upcasts: ClassVar[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        Rang.type: lambda old: {"bell": old["bell"], "decibel": 10 * old["volume"]}
    }

    bell: str
    decibel: int


class Tolled(Event):
    """A bell tolled: a fact that the old build has never heard of."""

    type = "bells.bell_tolled.v1"
    subject_field = "bell"

    bell: str


def new_build(effects: Effects) -> Subscriber:
    ears = Subscriber("ears")
    ears.on(RangV2)(effects)
    ears.on(Tolled)(effects)
    return ears


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log, which says what was parked."""
    with capture_logs() as lines:
        yield lines


def parked(logs: list[EventDict]) -> int:
    return sum(line["count"] for line in logs if line["event"] == "events of unknown types parked")


async def test_what_only_the_new_build_knows_is_run_by_it_alone_and_once(
    database: Database, stream: Stream, logs: list[EventDict]
) -> None:
    by_old, by_new = Effects(), Effects()
    old, new = listening(by_old), new_build(by_new)
    await subscribed(database, old)
    await subscribed(database, new)
    events: list[Event] = []
    for number in range(50):
        events += [Rang(bell="a"), RangV2(bell="a", decibel=number), Tolled(bell="a")]

    async with running(*loops(database, stream, [old], consumer="old", policy=SMALL)):
        await ring(database, *events[:15])

        async def left_for_the_new() -> bool:
            return len(await delivery_rows(database)) == 10

        await until(left_for_the_new)
        async with running(*loops(database, stream, [new], consumer="new", policy=SMALL)):
            for start in range(15, 150, 15):
                await ring(database, *events[start : start + 15])
            await until_handled(database, "ears", 150)

            async def nothing_due() -> bool:
                return not await delivery_rows(database)

            await until(nothing_due)

    assert await handled_count(database, "effects") == 150
    assert by_old.calls + by_new.calls == 150
    assert 5 <= by_old.calls <= 50
    assert parked(logs) >= 10
    assert await published(database, DeadLettered) == []
