"""Leases: what is due runs once, whoever claims it and whoever dies with it."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import anyio
import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus import inbox, lease, outbox
from app.bus.delivery import UNFINISHED_LIMIT, Reason
from app.bus.due import DueDeliveries
from app.bus.event import Event
from app.bus.handling import Handling
from app.bus.retry import RetryPolicy
from app.bus.source import Delivery, FromDatabase
from app.bus.sql import later, now
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery
from app.bus.verdict import DeadLettered
from app.db import Database
from tests.bus.owing import (
    arrive,
    count_where,
    deliver,
    due,
    only_row,
    owe,
    passing_trouble,
    published,
    ripen,
    run_due,
)
from tests.bus.sample import (
    Effects,
    Heard,
    Rang,
    delivery_rows,
    handled_count,
    listening,
)

pytestmark = pytest.mark.every_postgres

PATIENT = RetryPolicy(first_s=1e6, most_s=1e6)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log; tracebacks in colour cost more than the tests."""
    with capture_logs() as lines:
        yield lines


def answering() -> Subscriber:
    """Return a subscriber that answers each `Rang` with a `Heard`, which can be counted."""
    ears = Subscriber("ears")

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await outbox.publish(session, Heard(bell=event.bell))

    return ears


def hopeless_ears(error: Exception, *kinds: type[Event]) -> Subscriber:
    """Return a subscriber that gives up whatever it hears at once."""
    ears = Subscriber("ears")

    @ears.on(*(kinds or (Rang,)), retry=RetryPolicy(max_attempts=1))
    async def hear(_event: Event, _session: AsyncSession) -> None:
        raise error

    return ears


async def claimed(database: Database, ears: Subscriber, *, lease_s: float = 30) -> dict[UUID, int]:
    """Claim everything ripe, as a worker does that then dies or dawdles."""
    async with database.write() as session:
        found = await lease.claim(
            session, ears.name, ears.handlers, limit=100, lease_s=lease_s, deaths=0
        )
    return {row.event_id: row.attempts for row in found}


async def set_rows(database: Database, **values: Any) -> None:  # noqa: ANN401 - SQL or a value
    """Change every delivery row."""
    async with database.write() as session:
        await session.execute(update(delivery).values(**values))


async def test_what_is_due_runs_once_and_leaves_no_row(database: Database) -> None:
    effects = Effects()
    ears = listening(effects)
    await owe(database, ears, *[Rang(bell="a") for _ in range(30)])

    await run_due(database, ears, rounds=2)

    assert await delivery_rows(database) == []
    assert (effects.calls, await handled_count(database, "ears")) == (30, 30)


async def test_the_clock_of_the_database_decides_when(database: Database) -> None:
    effects = Effects()
    ears = listening(effects)
    await owe(database, ears, Rang(bell="a"))
    await set_rows(database, next_attempt_at=later(3600))
    loop = due(database, ears)

    assert await loop.run_page() == 0
    await set_rows(database, next_attempt_at=now())
    assert await loop.run_page() == 1
    assert effects.calls == 1


async def test_a_claim_counts_the_attempt_before_it_is_made(database: Database) -> None:
    ears = listening(Effects())
    await owe(database, ears, Rang(bell="a"))

    await claimed(database, ears)

    row = await only_row(database)
    assert (row.state, row.attempts, row.unfinished) == ("due", 1, 1)
    leased = (delivery.c.next_attempt_at > later(20), delivery.c.next_attempt_at <= later(30))
    assert await count_where(database, *leased) == 1
    assert await claimed(database, ears) == {}


async def test_a_claim_that_ran_out_is_anybodys_and_the_slow_one_writes_nothing(
    database: Database,
) -> None:
    effects = Effects()
    ears = listening(effects)
    events = [Rang(bell="a"), Rang(bell="b")]
    await owe(database, ears, *events)
    slow = await claimed(database, ears, lease_s=0)

    await run_due(database, ears, rounds=1)
    # Its second event was claimed again meanwhile but is not finished.
    await owe(database, ears, late := Rang(bell="c"))
    slow |= await claimed(database, ears, lease_s=0)
    async with database.write() as session:
        again = await lease.claim(session, "ears", ears.handlers, limit=9, lease_s=30, deaths=1)
    given = [
        Delivery(event, ears.handlers[Rang.type][1], slow[event.id]) for event in [*events, late]
    ]
    await Handling(database, ears).run(given, FromDatabase("ears"))

    assert [row.attempts for row in again] == [2]
    assert effects.calls == 2
    row = await only_row(database)
    assert (row.event_id, row.attempts, row.unfinished) == (late.id, 2, 2)


async def test_two_loops_share_what_is_due(database: Database) -> None:
    effects = Effects()
    ears = listening(effects)
    await owe(database, ears, *[Rang(bell="a") for _ in range(60)])
    await ripen(database)

    async def run(loop: DueDeliveries) -> None:
        while await loop.run_page():
            pass

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(run, due(database, ears, page=7))

    assert await delivery_rows(database) == []
    assert (effects.calls, await handled_count(database, "ears")) == (60, 60)


async def test_a_replay_runs_once_more_whoever_runs_it(database: Database) -> None:
    ears = answering()
    events = [Rang(bell="a") for _ in range(20)]
    await arrive(database, ears, *events)
    assert len(await published(database, Heard)) == 20
    await make_replays(database, events)
    await deliver(database, ears, *events)

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(run_due, database, ears)

    assert len(await published(database, Heard)) == 40
    assert await delivery_rows(database) == []
    assert await handled_count(database, "ears") == 20


async def make_replays(database: Database, events: list[Rang]) -> None:
    async with database.write() as session:
        await session.execute(
            delivery.insert(),
            [
                {
                    "subscriber": "ears",
                    "event_id": event.id,
                    "state": "due",
                    "reason": Reason.REPLAY,
                    "attempts": 0,
                    "unfinished": 0,
                }
                for event in events
            ],
        )


async def test_a_replay_that_fails_keeps_its_reason_and_the_inbox_row(database: Database) -> None:
    ears, events = answering(), [Rang(bell="a")]
    await arrive(database, ears, *events)
    await make_replays(database, events)

    await run_due(database, hopeless_ears(ValueError("not twice")))

    row = await only_row(database)
    assert (row.state, row.reason, row.attempts) == ("dead", "replay", 1)
    assert await handled_count(database, "ears") == 1


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.FAILED, Reason.PARKED, Reason.FILL])
async def test_what_was_handled_meanwhile_is_done_and_not_run(
    database: Database, reason: Reason
) -> None:
    effects = Effects()
    ears = listening(effects)
    await owe(database, ears, event := Rang(bell="a"), reason=reason)
    async with database.write() as session:
        await inbox.take(session, "ears", [event.id])

    await run_due(database, ears)

    assert effects.calls == 0
    assert await delivery_rows(database) == []


async def test_an_engine_failure_hands_back_and_counts_no_attempt(database: Database) -> None:
    effects, errors = Effects(), [passing_trouble()]
    ears = Subscriber("ears")

    @ears.on(Rang, retry=PATIENT)
    async def hear(event: Rang, session: AsyncSession) -> None:
        if event.volume == 2 and errors:
            raise errors.pop()
        if event.volume == 3:
            raise ValueError("poison")
        await effects(event, session)

    await owe(database, ears, *[Rang(bell="a", volume=volume) for volume in range(5)])
    await ripen(database)
    loop = due(database, ears)
    errors *= 2  # in the batch, and then alone
    with pytest.raises(OperationalError):
        await loop.run_page()
    held = {row.error_type: row for row in await delivery_rows(database)}
    await loop.run_page()

    # The poison's verdict was written before the failure, and stays.
    assert (held["ValueError"].attempts, held["ValueError"].unfinished) == (1, 0)
    row = await only_row(database)
    assert (row.error_type, row.attempts, row.unfinished) == ("ValueError", 1, 0)
    assert row.next_attempt_at == held["ValueError"].next_attempt_at
    assert await handled_count(database, "effects") == 4


@pytest.mark.parametrize(("deaths", "apart"), [(1, [3]), (2, [1, 1, 1]), (3, [1, 1, 1])])
async def test_suspects_run_apart_and_after_two_deaths_one_by_one(
    database: Database, deaths: int, apart: list[int]
) -> None:
    ears, batches = Subscriber("ears"), []

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], _session: AsyncSession) -> None:
        batches.append(len(events))

    await owe(database, ears, *[Rang(bell="a") for _ in range(3)])
    for died in range(deaths):
        async with database.write() as session:
            await lease.claim(session, "ears", ears.handlers, limit=9, lease_s=0, deaths=died)
    await owe(database, ears, *[Rang(bell="a") for _ in range(4)])

    await run_due(database, ears)

    assert batches == [*apart, 4]
    assert await delivery_rows(database) == []


async def test_attempts_that_never_come_back_make_a_dead_letter(
    database: Database, logs: list[EventDict]
) -> None:
    effects = Effects()
    ears = listening(effects)
    await owe(database, ears, event := Rang(bell="a"))
    for _ in range(UNFINISHED_LIMIT):
        await ripen(database)
        async with database.write() as session:
            assert await lease.claim(
                session,
                "ears",
                ears.handlers,
                limit=1,
                lease_s=30,
                deaths=(await only_row(database)).unfinished,
            )

    before = await due(database, ears).run_page()
    await run_due(database, ears, rounds=2)

    row = await only_row(database)
    assert before == 0
    assert (row.state, row.attempts, row.error_type) == ("dead", UNFINISHED_LIMIT, "Unfinished")
    [letter] = await published(database, DeadLettered)
    assert letter.data["dead_event_id"] == str(event.id)
    assert effects.calls == 0
    assert [line["log_level"] for line in logs if line["event"] == "event failed"] == ["error"]
