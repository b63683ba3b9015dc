"""Blame: which event raises is found in one transaction, and the due loop rests after failures."""

from collections.abc import Iterator, Sequence

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.backlog import Backlog
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.event import new_id
from app.bus.retry import RetryPolicy
from app.bus.subscriber import Subscriber
from app.bus.tables import inbox
from app.db import Database
from tests.bus.owing import arrive, ids, owe
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    running,
    until,
    until_handled,
)
from tests.transactions import counted


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log; tracebacks in colour cost more than the tests."""
    with capture_logs() as lines:
        yield lines


class _Note:
    """A row of the inbox as an ORM object, which a session sends when it likes."""

    def __init__(self, subscriber: str) -> None:
        self.subscriber = subscriber
        self.event_id = new_id()


registry().map_imperatively(_Note, inbox)


def rings(count: int) -> list[Rang]:
    return [Rang(bell="a", volume=volume) for volume in range(count)]


async def test_poison_costs_a_batch_two_transactions_more(database: Database) -> None:
    ears, effects, calls = Subscriber("ears"), Effects(), []

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        calls.append(event.volume)
        await effects(event, session)
        if event.volume in {20, 60}:
            raise ValueError(event.volume)

    events = rings(100)
    with counted(database) as statements:
        await arrive(database, ears, *events)

    assert {row.event_id for row in await delivery_rows(database)} == {events[20].id, events[60].id}
    assert await handled_count(database, "effects") == 98
    # A plain run, a careful one; what ran between two culprits twice; then these, none in company.
    again = list(range(21, 61))
    assert calls == [*range(21), *range(20), 20, *again, *again[:-1], *range(60, 100), 20, 60]
    claims = [one for one in statements if one.startswith("INSERT INTO inbox") and "outbox" in one]
    assert len(claims) == 3


async def test_a_batch_handler_gets_the_events_that_go_well_in_one_call(database: Database) -> None:
    ears, effects, batches = Subscriber("ears"), Effects(), []

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> None:
        batches.append([event.volume for event in events])
        for event in events:
            await effects(event, session)
        if {3, 77} & set(batches[-1]):
            raise ValueError(batches[-1])

    events = rings(100)
    await arrive(database, ears, *events)

    assert {row.event_id for row in await delivery_rows(database)} == {events[3].id, events[77].id}
    assert await handled_count(database, "effects") == 98
    assert batches[-1] == [one for one in range(100) if one not in {3, 77}]
    # Each was alone when it was blamed, and what it did then is undone: that was no run of its own.
    assert batches.count([3]) == batches.count([77]) == 1


async def test_a_change_sent_late_is_blamed_on_the_event_that_made_it(database: Database) -> None:
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await effects(event, session)
        session.add(_Note("late" if event.volume != 1 else None))  # type: ignore[arg-type]  # that is the point

    events = rings(8)
    await arrive(database, ears, *events)

    assert ids(events[1:2]) == {row.event_id for row in await delivery_rows(database)}
    assert await handled_count(database, "effects") == 7
    assert await handled_count(database, "late") == 7


@pytest.mark.parametrize("waiting", [False, True])
async def test_failures_make_the_due_loop_rest_while_the_stream_waits(
    database: Database, *, waiting: bool
) -> None:
    ears, tries = Subscriber("ears"), []

    @ears.on(Rang, retry=RetryPolicy(max_attempts=50, first_s=0.01))
    async def hear(event: Rang, _session: AsyncSession) -> None:
        tries.append(event)
        raise ValueError(event.bell)

    async def enough() -> bool:
        return len(tries) >= (1 if backlog.waiting else 6)

    backlog = Backlog(waiting)
    policy = DuePolicy(page=1, poll_s=0.01, rest_factor=1e6, rest_most_s=60)
    await owe(database, ears, *rings(3))
    async with running(DueDeliveries(database, ears, policy=policy, backlog=backlog)):
        await until(enough)
        await anyio.sleep(0.1)
        meanwhile = len(tries)
        backlog.waiting = False
        await until(enough)

    assert (meanwhile == 1) is waiting


async def test_what_succeeds_earns_no_rest(database: Database) -> None:
    ears = listening(Effects())
    policy = DuePolicy(page=2, poll_s=0.01, rest_factor=1e6, rest_most_s=60)
    await owe(database, ears, *rings(10))

    async with running(DueDeliveries(database, ears, policy=policy, backlog=Backlog(waiting=True))):
        await until_handled(database, "effects", 10)
