"""Handling: what a handler's failure means, and that its neighbours do not feel it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import TypeAlias

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.delivery import State
from app.bus.errors import PermanentError
from app.bus.event import Envelope
from app.bus.handling import Handling
from app.bus.judge import Judge
from app.bus.outbox import publish
from app.bus.retry import Outcome, RetryPolicy
from app.bus.source import Delivery, FromStream
from app.bus.sql import later
from app.bus.subscriber import Failed, Subscriber
from app.bus.tables import delivery
from app.db import Database
from tests.bus.owing import (
    Between,
    arrive,
    count_where,
    deliver,
    ids,
    only_row,
    run_due,
)
from tests.bus.sample import (
    Effects,
    Heard,
    Rang,
    delivery_rows,
    handled_count,
    ring,
    subscribed,
)
from tests.transactions import blocked, counted, holding


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log; tracebacks in colour cost more than the tests."""
    with capture_logs() as lines:
        yield lines


Ring: TypeAlias = Callable[[Rang, AsyncSession], Awaitable[None]]


def failing(error: Exception, effects: Ring, *, unlucky: int = 13) -> Ring:
    """Return a handler that raises error for one volume, after it has written its effect."""

    async def hear(event: Rang, session: AsyncSession) -> None:
        await effects(event, session)
        if event.volume == unlucky:
            raise error

    return hear


def rings(count: int) -> list[Rang]:
    return [Rang(bell="a", volume=volume) for volume in range(count)]


async def test_a_failure_becomes_one_due_row_and_its_neighbours_go_on(database: Database) -> None:
    ears = Subscriber("ears")
    ears.on(Rang)(failing(ValueError("unlucky"), Effects()))
    events = rings(40)

    await arrive(database, ears, *events)

    row = await only_row(database)
    assert (row.state, row.reason, row.attempts, row.unfinished) == ("due", "failed", 1, 0)
    assert (row.event_id, row.error_type, row.error) == (events[13].id, "ValueError", "unlucky")
    assert await handled_count(database, "ears") == 39
    assert await handled_count(database, "effects") == 39
    # The database's clock says when, and how far ahead is the policy's first second.
    soon = (delivery.c.next_attempt_at > later(-60), delivery.c.next_attempt_at <= later(1))
    assert await count_where(database, *soon) == 1


async def test_each_handler_has_its_own_policy(database: Database) -> None:
    ears = Subscriber("ears")

    @ears.on(Rang, retry=RetryPolicy(max_attempts=1))
    async def hear(event: Rang, _session: AsyncSession) -> None:
        raise ValueError(event.bell)

    @ears.on(Heard, retry=RetryPolicy(max_attempts=2))
    async def nod(event: Heard, _session: AsyncSession) -> None:
        raise ValueError(event.bell)

    rang, heard = Rang(bell="a"), Heard(bell="b")
    await arrive(database, ears, rang, heard)

    states = {row.event_id: row.state for row in await delivery_rows(database)}
    assert states == {rang.id: "dead", heard.id: "due"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("again"), "due"),
        (PermanentError("never"), "dead"),
        (LookupError("never"), "dead"),
        (KeyError("waived"), "discarded"),
    ],
)
async def test_the_exception_decides_what_becomes_of_the_event(
    database: Database, error: Exception, state: str
) -> None:
    rules: dict[type[Exception], Outcome]
    rules = {LookupError: Outcome.DEAD_LETTER, KeyError: Outcome.DISCARD}
    ears = Subscriber("ears")
    ears.on(Rang, retry=RetryPolicy(rules=rules))(failing(error, Effects(), unlucky=1))

    await arrive(database, ears, Rang(bell="a"))

    row = await only_row(database)
    assert (row.state, row.attempts, row.error_type) == (state, 1, type(error).__name__)
    assert (row.next_attempt_at is None) == (state != "due")
    assert await handled_count(database, "ears") == 0


async def test_it_is_a_dead_letter_after_max_attempts(database: Database) -> None:
    effects = Effects()
    ears = Subscriber("ears")
    unhurried = RetryPolicy(max_attempts=4, first_s=1e6, most_s=1e6)
    ears.on(Rang, retry=unhurried)(failing(ValueError("no"), effects, unlucky=1))
    await arrive(database, ears, Rang(bell="a"))

    await run_due(database, ears, rounds=2)
    before = await only_row(database)
    await run_due(database, ears, rounds=5)

    row = await only_row(database)
    assert (before.state, before.attempts) == ("due", 3)
    assert (row.state, row.attempts, row.unfinished) == ("dead", 4, 0)
    assert effects.calls == 4


async def test_a_retry_that_succeeds_leaves_an_effect_and_no_row(database: Database) -> None:
    effects, errors = Effects(), [ValueError("once"), ValueError("twice")]
    ears = Subscriber("ears")

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await effects(event, session)
        if errors:
            raise errors.pop()

    await arrive(database, ears, Rang(bell="a"))
    await run_due(database, ears, rounds=3)

    assert await delivery_rows(database) == []
    assert (await handled_count(database, "ears"), effects.calls) == (1, 3)


@pytest.mark.parametrize("twin_fails", [False, True])
async def test_a_verdict_is_written_under_the_key(database: Database, *, twin_fails: bool) -> None:
    """A twin gets the event between the failure and its verdict."""
    effects = Effects()
    slow, twin = Subscriber("ears"), Subscriber("ears")
    slow.on(Rang)(failing(ValueError("slow"), effects, unlucky=1))
    twin.on(Rang)(failing(ValueError("twin"), effects, unlucky=1 if twin_fails else 2))
    event = Rang(bell="a")
    await subscribed(database, slow)
    await ring(database, event)

    async def twin_runs() -> None:
        await deliver(database, twin, event)

    handling = Handling(Between(database, 2, twin_runs), slow, Random(7))
    await deliver(database, slow, event, handling=handling)

    assert effects.calls == 2
    if twin_fails:
        row = await only_row(database)
        assert (row.attempts, row.error) == (1, "twin")
    else:
        assert await delivery_rows(database) == []
    assert await handled_count(database, "effects") == (0 if twin_fails else 1)


@pytest.mark.parametrize("writes", [False, True])
async def test_who_waited_for_a_twin_that_failed_does_not_run_the_event(
    database: Database, *, writes: bool
) -> None:
    """The claim does not see what became of the event while it waited; the transaction does."""
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    effects = Effects()
    ears, twin = Subscriber("ears"), Subscriber("ears")
    twin.on(Rang)(failing(PermanentError("twin"), effects, unlucky=1))

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> None:
        for event in events:
            await effects(event, session)
        if writes:
            await publish(session, *(Heard(bell=event.bell) for event in events))

    await subscribed(database, ears)
    bad, good = Rang(bell="a", volume=1), Rang(bell="b", volume=2)
    await ring(database, bad, good)

    async def fail(session: AsyncSession) -> None:
        [given] = [Handling(database, twin).open(Envelope.seal(bad))]
        assert isinstance(given, Delivery)
        source, error = FromStream("ears"), PermanentError("twin")
        assert await source.claim(session, {bad.id: 1}) == {bad.id}
        await source.settle(session, {bad.id: Judge(Random(7)).raised(given, error, 1.0)})

    async with holding(database, fail) as others:
        others.start_soon(deliver, database, ears, bad, good)
        await blocked(database)

    assert (await only_row(database)).error == "twin"
    assert await handled_count(database, "ears") == await handled_count(database, "effects") == 1


@pytest.mark.parametrize("state", [State.DUE, State.DEAD, State.DISCARDED])
async def test_the_stream_does_not_run_what_the_database_keeps(
    database: Database, state: State
) -> None:
    effects = Effects()
    ears = Subscriber("ears")
    ears.on(Rang)(failing(ValueError("no"), effects, unlucky=1))
    poison, good = Rang(bell="a", volume=1), Rang(bell="a", volume=2)
    await arrive(database, ears, poison)
    async with database.write() as session:
        await session.execute(delivery.update().values(state=state))

    await ring(database, good)
    await deliver(database, ears, poison, good, poison)

    assert effects.calls == 2
    assert (await only_row(database)).attempts == 1
    assert await handled_count(database, "ears") == 1


@pytest.mark.parametrize("percent", [1, 5, 50, 100])
async def test_what_a_batch_handler_returns_fails_and_the_rest_is_applied_at_once(
    database: Database, percent: int
) -> None:
    ears, effects, batches = Subscriber("ears"), Effects(), []

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> list[Failed[Rang]]:
        batches.append(len(events))
        for event in events[percent:]:
            await effects(event, session)
        return [Failed(event, "too loud") for event in events[:percent]]

    events = rings(100)
    await subscribed(database, ears)
    await ring(database, *events)
    with counted(database) as statements:
        await deliver(database, ears, *events)

    rows = await delivery_rows(database)
    assert batches == [100]
    assert {row.event_id for row in rows} == ids(events[:percent])
    assert {(row.state, row.attempts, row.error_type, row.error) for row in rows} == {
        ("due", 1, "Failed", "too loud")
    }
    assert await handled_count(database, "ears") == 100 - percent
    # Claim, held back, release and record, whatever the number; the effects are one by one here.
    assert len(statements) - (100 - percent) <= 6


async def test_a_returned_failure_may_be_permanent(database: Database) -> None:
    ears = Subscriber("ears")

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], _session: AsyncSession) -> list[Failed[Rang]]:
        return [Failed(events[0], "never", permanent=True)]

    events = rings(3)
    await arrive(database, ears, *events)

    row = await only_row(database)
    assert (row.event_id, row.state, row.error) == (events[0].id, "dead", "never")
    assert await handled_count(database, "ears") == 2


async def test_a_batch_handler_that_raises_is_split_down_to_the_event(database: Database) -> None:
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> None:
        for event in events:
            await effects(event, session)
            if event.volume in {3, 77}:
                raise ValueError(event.volume)

    events = rings(100)
    await arrive(database, ears, *events)

    assert {row.event_id for row in await delivery_rows(database)} == {events[3].id, events[77].id}
    assert await handled_count(database, "effects") == 98


async def test_a_victim_of_another_event_is_not_blamed(database: Database) -> None:
    """The change of one event is sent with the next one's, which then raises."""
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await session.execute(select(1))
        if session.info.pop("late", False):
            raise ValueError("sent late")
        if event.volume == 1:
            session.info["late"] = True
        await effects(event, session)

    events = rings(4)
    await arrive(database, ears, *events)

    assert ids(events) - {row.event_id for row in await delivery_rows(database)} == ids(events)
    assert await handled_count(database, "effects") == 4
