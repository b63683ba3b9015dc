"""What the database owes: parked types, dead letters, misfits."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus import delivery as owed, inbox, outbox
from app.bus.delivery import PARKED_S, Reason
from app.bus.errors import PermanentError
from app.bus.event import Context, Envelope, Event
from app.bus.retry import Outcome, RetryPolicy
from app.bus.sql import later
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery
from app.bus.verdict import DeadLettered
from app.db import Database
from tests.bus.owing import (
    arrive,
    deliver,
    due,
    ids,
    only_row,
    owe,
    published,
    run_due,
)
from tests.bus.sample import (
    Effects,
    Heard,
    Rang,
    delivery_rows,
    listening,
    relay_all,
    ring,
)

PATIENT = RetryPolicy(first_s=1e6, most_s=1e6)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log; tracebacks in colour cost more than the tests."""
    with capture_logs() as lines:
        yield lines


def hopeless_ears(error: Exception, *kinds: type[Event]) -> Subscriber:
    """Return a subscriber that gives up whatever it hears at once."""
    ears = Subscriber("ears")

    @ears.on(*(kinds or (Rang,)), retry=RetryPolicy(max_attempts=1))
    async def hear(_event: Event, _session: AsyncSession) -> None:
        raise error

    return ears


async def set_rows(database: Database, **values: Any) -> None:  # noqa: ANN401 - SQL or a value
    """Change every delivery row."""
    async with database.write() as session:
        await session.execute(update(delivery).values(**values))


async def overdue_for(database: Database, seconds: float) -> None:
    """Let every row be ripe, and untouched, for so long."""
    then = later(-seconds)
    await set_rows(database, next_attempt_at=then, updated_at=then)


async def test_only_what_is_owed_and_not_handled_is_made_due(database: Database) -> None:
    ears = listening(Effects())
    old, handled, foreign = Rang(bell="old"), Rang(bell="handled"), Heard(bell="foreign")
    await ring(database, old)
    async with database.write() as session:
        await outbox.mark_published(session, await outbox.unpublished(session, 9), ["1-1"])
    await arrive(database, ears, handled)
    await ring(database, foreign, owed_one := Rang(bell="owed"))

    async with database.write() as session:
        given = [*ids([old, handled, foreign, owed_one]), Rang(bell="never committed").id]
        await owed.isolate(session, "ears", given)

    row = await only_row(database)
    assert (row.event_id, row.reason, row.attempts, row.unfinished) == (
        owed_one.id,
        "failed",
        1,
        1,
    )


async def test_a_parked_event_runs_when_a_build_knows_it(database: Database) -> None:
    old, effects = listening(Effects()), Effects()
    new = listening(effects)
    new.on(Heard)(effects)
    await owe(database, new, Heard(bell="a"), reason=Reason.PARKED)

    await run_due(database, old, rounds=3)
    waiting = await only_row(database)
    await overdue_for(database, 2 * PARKED_S)
    await run_due(database, new)

    assert (waiting.state, waiting.attempts) == ("due", 0)
    assert effects.calls == 1
    assert await delivery_rows(database) == []


async def test_a_parked_event_that_fails_is_a_failure_and_not_unknown(database: Database) -> None:
    new, old = Subscriber("ears"), listening(Effects())

    @new.on(Rang, Heard, retry=PATIENT)
    async def hear(_event: Event, _session: AsyncSession) -> None:
        raise ValueError("not yet")

    await owe(database, new, Heard(bell="a"), reason=Reason.PARKED)
    await run_due(database, new)
    await overdue_for(database, 2 * PARKED_S)
    await due(database, new).run_page()

    row = await only_row(database)
    assert (row.state, row.attempts, row.error_type) == ("due", 2, "ValueError")
    await run_due(database, old)
    assert (await only_row(database)).state == "due"


@pytest.mark.parametrize("reason", [Reason.PARKED, Reason.REDRIVE, Reason.LOST, Reason.FAILED])
async def test_what_nobody_knows_in_time_is_a_dead_letter(
    database: Database, reason: Reason
) -> None:
    old, new = listening(Effects()), listening(Effects())
    new.on(Heard)(Effects())
    await owe(database, new, Heard(bell="a"), reason=reason)
    states: list[str] = []

    for ripe_s, changed_s in ((-60, 60), (60, -60), (1, 1)):
        await set_rows(
            database,
            next_attempt_at=later(-PARKED_S - ripe_s),
            updated_at=later(-PARKED_S - changed_s),
        )
        await due(database, old).run_page()
        states.append((await only_row(database)).state)

    assert states == ["due", "due", "dead"]
    assert (await only_row(database)).error_type == "UnknownType"
    assert [one.data["dead_event_type"] for one in await published(database, DeadLettered)] == [
        Heard.type
    ]


async def test_a_parked_event_that_was_handled_is_no_dead_letter(database: Database) -> None:
    old, new = listening(Effects()), listening(Effects())
    new.on(Heard)(Effects())
    await owe(database, new, event := Heard(bell="a"), reason=Reason.PARKED)
    async with database.write() as session:
        await inbox.take(session, "ears", [event.id])
    await overdue_for(database, PARKED_S + 1)

    await due(database, old).run_page()

    assert await delivery_rows(database) == []
    assert await published(database, DeadLettered) == []


async def test_a_dead_letter_is_published_once_on_a_stream_of_its_own(
    database: Database, stream: Stream
) -> None:
    ears = hopeless_ears(PermanentError("never\x00"))
    cause = Rang(bell="a").within(Context(correlation_id="chain-7", traceparent=None))
    await arrive(database, ears, cause)
    await deliver(database, ears, cause)
    await run_due(database, ears)
    await relay_all(database, stream)

    entries: Any = await stream._redis.xrange(stream.key("dead_letters"))
    [letter] = [Envelope.model_validate_json(fields["event"]) for _, fields in entries]
    assert stream.key("dead_letters").endswith(":dead-letters")
    assert (letter.type, letter.subject) == (
        "dead_letters.event_dead_lettered.v1",
        str(cause.id),
    )
    assert (letter.correlationid, letter.causationid) == ("chain-7", cause.id)
    assert letter.data == {
        "dead_event_id": str(cause.id),
        "dead_event_type": Rang.type,
        "subscriber": "ears",
        "attempts": 1,
        "error_type": "PermanentError",
        "error": "never\\x00",
    }


@pytest.mark.parametrize("outcome", ["due", "discarded"])
async def test_what_is_not_dead_is_not_published_as_such(database: Database, outcome: str) -> None:
    rules: dict[type[Exception], Outcome]
    rules = {ValueError: Outcome.DISCARD} if outcome == "discarded" else {}
    ears = Subscriber("ears")

    @ears.on(Rang, retry=RetryPolicy(rules=rules))
    async def hear(_event: Rang, _session: AsyncSession) -> None:
        raise ValueError

    await arrive(database, ears, Rang(bell="a"))

    assert (await only_row(database)).state == outcome
    assert await published(database, DeadLettered) == []


async def test_a_dead_letter_of_a_dead_letter_is_not_published_again(database: Database) -> None:
    ears = hopeless_ears(ValueError("cannot read it either"), DeadLettered)
    letter = DeadLettered(
        dead_event_id="x",
        dead_event_type=Rang.type,
        subscriber="others",
        attempts=8,
        error_type="ValueError",
        error="no",
    )

    await arrive(database, ears, letter)

    assert (await only_row(database)).state == "dead"
    assert [one.id for one in await published(database, DeadLettered)] == [letter.id]


async def test_an_error_is_kept_whatever_it_says(database: Database) -> None:
    nasty = "\x00 \ud800 " + "long " * 4000

    await arrive(database, hopeless_ears(ValueError(nasty)), Rang(bell="a"))

    row = await only_row(database)
    assert row.state == "dead"
    assert row.error.startswith("\\x00 ? long")
    assert len(row.error) == 8000
