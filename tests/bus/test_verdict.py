"""Verdicts: what an operator can read of a failure, attempt by attempt."""

from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import pytest
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.dead_letters import letter
from app.bus.delivery import State
from app.bus.errors import HandlerTimeoutError, PermanentError
from app.bus.failure_log import Failure, tell
from app.bus.retry import RetryPolicy
from app.bus.subscriber import Failed, Subscriber
from app.bus.tables import failed_attempt
from app.bus.verdict import Verdict
from app.db import Database
from tests.bus.owing import arrive, deliver, due, only_row, run_due
from tests.bus.sample import Effects, Heard, Rang, ring, subscribed

SECRET = "4111 1111 1111 1111"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def rings(count: int) -> list[Rang]:
    return [Rang(bell="a", volume=volume) for volume in range(count)]


async def attempts(database: Database) -> Sequence[Row[Any]]:
    async with database.read() as session:
        return (await session.execute(failed_attempt.select().order_by("id"))).all()


async def test_every_failed_attempt_leaves_a_row(database: Database) -> None:
    errors = [ValueError("a" * 600), PermanentError("never"), ValueError("by no means")]
    ears = Subscriber("ears")

    @ears.on(Rang)
    async def hear(_event: Rang, _session: AsyncSession) -> None:
        if errors:
            raise errors.pop()

    event = Rang(bell="a")
    await arrive(database, ears, event)
    await run_due(database, ears)

    first, second = await attempts(database)
    assert (first.subscriber, first.event_id, first.attempt) == ("ears", event.id, 1)
    assert (first.becomes, first.error_type, first.error) == ("due", "ValueError", "by no means")
    assert (second.attempt, second.becomes, second.error_type) == (2, "dead", "PermanentError")
    assert 0 < first.took_ms < 10_000
    assert first.failed_at <= second.failed_at


async def test_what_fails_by_the_hundred_leaves_as_many_rows(database: Database) -> None:
    ears = Subscriber("ears")

    @ears.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], _session: AsyncSession) -> list[Failed[Rang]]:
        return [Failed(event, "too loud" if event.volume else "odd") for event in events[:100]]

    events = rings(120)
    await arrive(database, ears, *events)

    rows = await attempts(database)
    assert [(row.event_id, row.becomes) for row in rows] == [
        (one.id, "due") for one in events[:100]
    ]
    assert {row.error for row in rows} == {"odd", "too loud"}
    assert len({row.took_ms for row in rows}) == 1
    assert (await only_row_of(database, events[0])).traceback is None


async def only_row_of(database: Database, event: Rang) -> Any:  # noqa: ANN401 - a letter
    async with database.read() as session:
        return await letter(session, "ears", event.id)


@pytest.mark.parametrize(("count", "each"), [(3, False), (4, True)])
def test_a_few_failures_are_told_one_by_one_and_many_when_asked(
    logs: list[EventDict], count: int, *, each: bool
) -> None:
    events = rings(count)

    tell("ears", map(failure, events), each=each)

    assert {line["event"] for line in logs} == {"event failed"}
    assert [line["event_id"] for line in logs] == [str(event.id) for event in events]


def test_many_failures_of_a_kind_are_one_line_and_what_was_raised_its_own(
    logs: list[EventDict],
) -> None:
    events = rings(102)
    failures = [failure(event, "odd" if event.volume == 1 else "too loud") for event in events]
    failures[7] = failures[7]._replace(error=ValueError("too loud"))
    failures[8] = Failure(failures[8].verdict._replace(state=State.DEAD))

    tell("ears", failures)

    raised, many, dead = logs
    assert (raised["event"], raised["event_id"]) == ("event failed", str(events[7].id))
    assert (many["event"], many["log_level"], many["count"]) == ("events failed", "warning", 100)
    assert (many["error"], many["error_count"]) == ("Failed: too loud", 99)
    assert many["event_ids"] == [str(event.id) for event in events[:5]]
    assert (dead["event"], dead["log_level"], dead["becomes"]) == ("event failed", "error", "dead")


def failure(event: Rang, reason: str = "too loud") -> Failure:
    verdict = Verdict(event.id, event.type, event, State.DUE, 1, "Failed", reason, 0.5)
    return Failure(verdict)


async def test_a_traceback_begins_at_the_handler_and_shows_no_variables(
    database: Database, logs: list[EventDict]
) -> None:
    ears = Subscriber("ears")

    @ears.on(Rang)
    async def hear(event: Rang, _session: AsyncSession) -> None:
        card = SECRET
        strike(event.volume + len(card))

    def strike(volume: int) -> None:
        raise PermanentError(f"too loud: {volume}" + "!" * 20_000)

    event = Rang(bell="a")
    await arrive(database, ears, event)

    found = await only_row_of(database, event)
    header, frame, *_ = found.traceback.splitlines()
    assert header == "Traceback (most recent call last):"
    assert __file__ in frame
    assert "in hear" in frame
    assert "strike(event.volume + len(card))" in found.traceback
    assert "PermanentError: too loud: 20" in found.traceback
    assert SECRET not in found.traceback
    assert len(found.traceback) <= 8000
    [line] = [line for line in logs if line["event"] == "event failed"]
    assert [name for name, value in line.items() if "Traceback" in str(value)] == []


async def test_a_handler_out_of_time_has_run_that_long(database: Database) -> None:
    ears = Subscriber("ears")

    @ears.on(Rang, timeout_s=0.05)
    async def hear(_event: Rang, _session: AsyncSession) -> None:
        await anyio.sleep_forever()

    await arrive(database, ears, Rang(bell="a"))

    [row] = await attempts(database)
    assert row.error_type == HandlerTimeoutError.__name__
    assert row.took_ms >= 50


async def test_nobody_called_a_handler_for_what_nobody_can_read(database: Database) -> None:
    ears = Subscriber("ears")
    ears.on(Rang, retry=RetryPolicy(max_attempts=1))(Effects())
    misfit = Rang.model_construct(bell=None)  # type: ignore[arg-type]  # that is the point

    await arrive(database, ears, misfit)

    [row] = await attempts(database)
    assert (row.becomes, row.error_type, row.took_ms) == ("dead", "ValidationError", None)
    assert (await only_row(database)).traceback.startswith("Traceback")


async def test_what_was_written_for_a_twin_is_written_once(database: Database) -> None:
    ears = Subscriber("ears")

    @ears.on(Heard)
    async def hear(event: Heard, _session: AsyncSession) -> None:
        raise ValueError(event.bell)

    event = Heard(bell="a")
    await subscribed(database, ears)
    await ring(database, event)
    await deliver(database, ears, event)
    await deliver(database, ears, event)
    assert await due(database, ears).run_page() == 0

    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(failed_attempt)) == 1
