"""Versions: older ones are read by upcasters, and what fits no class is a failure of its own."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.event import Envelope, Event
from app.bus.retry import RetryPolicy
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery, outbox as outbox_table
from app.bus.verdict import DeadLettered
from app.db import Database
from tests.bus.owing import (
    arrive,
    deliver,
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
    handled_count,
    listening,
)

PATIENT = RetryPolicy(first_s=1e6, most_s=1e6)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Collect the log; tracebacks in colour cost more than the tests."""
    with capture_logs() as lines:
        yield lines


class RangV2(Event):
    """A bell rang, and how loud is in decibel now."""

    type = "bells.bell_rang.v2"
    subject_field = "bell"
    upcasts: ClassVar[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        Rang.type: lambda old: {"bell": old["bell"], "decibel": 10 * old["volume"]}
    }

    bell: str
    decibel: int


@pytest.mark.parametrize("source", ["stream", "database"])
async def test_an_older_version_is_read_by_its_upcaster(database: Database, source: str) -> None:
    ears, heard = Subscriber("ears"), []

    @ears.on(RangV2)
    async def hear(event: RangV2, _session: AsyncSession) -> None:
        heard.append((event.bell, event.decibel))

    events = [Rang(bell="old", volume=3), RangV2(bell="new", decibel=40)]
    if source == "stream":
        await arrive(database, ears, *events)
    else:
        await owe(database, ears, *events)
        await run_due(database, ears)

    assert heard == [("old", 30), ("new", 40)]
    assert await handled_count(database, "ears") == 2


class Broken(Event):
    """A bell rang, in a version whose upcaster has a bug."""

    type = "bells.bell_rang.v3"
    subject_field = "bell"
    upcasts: ClassVar[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        Rang.type: lambda old: {"bell": old["tower"]}
    }

    bell: str
    tower: int = 0


class Strict(Event):
    """A bell rang, as this build understands the same type: with a tower."""

    type = Rang.type
    subject_field = "bell"

    bell: str
    tower: int


@pytest.mark.parametrize(("kind", "error"), [(Broken, "KeyError"), (Strict, "ValidationError")])
@pytest.mark.parametrize("source", ["stream", "database"])
async def test_a_misfit_is_a_failure_and_its_neighbours_go_on(
    database: Database, kind: type[Event], error: str, source: str, logs: list[EventDict]
) -> None:
    ears, effects = Subscriber("ears"), Effects()
    ears.on(kind, retry=RetryPolicy(max_attempts=2, first_s=1e6, most_s=1e6))(effects)
    ears.on(Heard)(effects)
    misfit, good = Rang(bell="a"), Heard(bell="b")
    if source == "stream":
        await arrive(database, ears, misfit, good)
    else:
        await owe(database, ears, misfit, good)
        await run_due(database, ears)

    first = await only_row(database)
    assert (first.event_id, first.state, first.attempts) == (misfit.id, "due", 1)
    assert (first.error_type, first.unfinished) == (error, 0)
    assert await handled_count(database, "effects") == 1
    assert [line["event_id"] for line in logs if line["event"] == "event failed"] == [
        str(misfit.id)
    ]
    await run_due(database, ears)
    assert (await only_row(database)).state == "dead"
    assert len(await published(database, DeadLettered)) == 1


async def test_a_misfit_that_was_handled_by_another_build_leaves_nothing(
    database: Database,
) -> None:
    ears = Subscriber("ears")
    ears.on(Strict)(Effects())
    event = Rang(bell="a")
    await arrive(database, listening(Effects()), event)

    await deliver(database, ears, event)

    assert await delivery_rows(database) == []


async def test_the_event_an_operator_mended_is_the_one_that_runs(database: Database) -> None:
    ears, heard = Subscriber("ears"), []

    @ears.on(Rang)
    async def hear(event: Rang, _session: AsyncSession) -> None:
        heard.append(event.bell)

    await owe(database, ears, event := Rang(bell="typo"))
    mended = Envelope.seal(event).model_copy(update={"data": {"bell": "mended"}})
    async with database.write() as session:
        await session.execute(update(delivery).values(envelope=mended.to_json()))
    await run_due(database, ears)

    assert heard == ["mended"]
    async with database.read() as session:
        [kept] = await session.scalars(
            outbox_table.select().with_only_columns(outbox_table.c.envelope)
        )
    assert Envelope.model_validate_json(kept).data["bell"] == "typo"
