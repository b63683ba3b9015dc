"""Trouble in a handler: what hangs, what the system says, and what may pass."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import TypeAlias

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.handling import Handling
from app.bus.subscriber import Subscriber
from app.db import Database
from tests.bus.owing import (
    arrive,
    deliver,
    only_row,
    passing_trouble,
)
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    ring,
    subscribed,
)


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


@pytest.mark.parametrize("batch", [False, True])
async def test_a_handler_that_hangs_fails_in_its_time_and_its_neighbours_go_on(
    database: Database, *, batch: bool
) -> None:
    ears, effects = Subscriber("ears"), Effects()

    async def one(event: Rang, session: AsyncSession) -> None:
        await effects(event, session)
        if event.volume == 2:
            await anyio.sleep_forever()

    async def many(events: Sequence[Rang], session: AsyncSession) -> None:
        for event in events:
            await one(event, session)

    if batch:
        ears.on(Rang, batch=True, timeout_s=0.3)(many)
    else:
        ears.on(Rang, timeout_s=0.3)(one)
    with anyio.fail_after(10):
        await arrive(database, ears, *rings(5))

    row = await only_row(database)
    assert (row.state, row.attempts, row.error_type) == ("due", 1, "HandlerTimeoutError")
    assert "did not return within 0.3 s" in row.error
    assert await handled_count(database, "effects") == 4


async def test_the_time_of_a_handler_is_for_one_event(database: Database) -> None:
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang, timeout_s=0.5)
    async def hear(event: Rang, session: AsyncSession) -> None:
        await anyio.sleep(0.1)
        await effects(event, session)

    await arrive(database, ears, *rings(8))

    assert await handled_count(database, "effects") == 8
    assert effects.calls == 8


@pytest.mark.parametrize(
    "error", [OSError("disk"), ConnectionRefusedError("mail server"), TimeoutError("its own")]
)
async def test_an_error_of_the_system_in_a_handler_is_an_attempt(
    database: Database, error: Exception
) -> None:
    ears, effects = Subscriber("ears"), Effects()
    ears.on(Rang)(failing(error, effects))

    await arrive(database, ears, *rings(20))

    row = await only_row(database)
    assert (row.attempts, row.error_type, row.error) == (1, type(error).__name__, str(error))
    assert await handled_count(database, "effects") == 19


async def test_a_handler_that_cancels_itself_is_an_attempt_and_not_the_end_of_the_loop(
    database: Database,
) -> None:
    ears, effects = Subscriber("ears"), Effects()
    ears.on(Rang)(failing(anyio.get_cancelled_exc_class()(), effects))  # type: ignore[arg-type]  # that is the point

    await arrive(database, ears, *rings(20))

    assert (await only_row(database)).error_type == "CancelledError"
    assert await handled_count(database, "effects") == 19


async def test_a_stop_cancels_a_handler_and_says_nothing_of_the_event(database: Database) -> None:
    ears, began = Subscriber("ears"), anyio.Event()

    @ears.on(Rang)
    async def hear(_event: Rang, _session: AsyncSession) -> None:
        began.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(arrive, database, ears, Rang(bell="a"))
        await began.wait()
        group.cancel_scope.cancel()

    assert await delivery_rows(database) == []
    assert await handled_count(database, "ears") == 0


async def test_trouble_that_passes_is_no_attempt_and_the_third_alone_is(
    database: Database,
) -> None:
    ears, effects = Subscriber("ears"), Effects()
    ears.on(Rang)(failing(passing_trouble(), effects))
    handling = Handling(database, ears, Random(7))
    events = rings(20)
    await subscribed(database, ears)
    await ring(database, *events)

    for _ in range(2):
        with pytest.raises(OperationalError):
            await deliver(database, ears, *events, handling=handling)
        # The neighbours need not wait for what may pass.
        assert await handled_count(database, "effects") == 19
        assert await delivery_rows(database) == []
    await deliver(database, ears, *events, handling=handling)

    row = await only_row(database)
    assert (row.state, row.attempts, row.error_type) == ("due", 1, "OperationalError")


async def test_trouble_is_forgotten_when_the_event_goes_well(database: Database) -> None:
    ears, effects = Subscriber("ears"), Effects()
    errors: list[Exception] = [passing_trouble(), passing_trouble()]

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        if errors:
            raise errors.pop()
        await effects(event, session)

    handling = Handling(database, ears, Random(7))
    await subscribed(database, ears)
    await ring(database, event := Rang(bell="a"))
    for _ in range(2):
        with pytest.raises(OperationalError):
            await deliver(database, ears, event, handling=handling)
    await deliver(database, ears, event, handling=handling)

    assert await delivery_rows(database) == []
    assert await handled_count(database, "effects") == 1


async def test_trouble_everywhere_ends_the_run_instead_of_trying_each(database: Database) -> None:
    ears, calls = Subscriber("ears"), [0]

    @ears.on(Rang)
    async def hear(_event: Rang, _session: AsyncSession) -> None:
        calls[0] += 1
        raise passing_trouble()

    events = rings(100)
    await subscribed(database, ears)
    await ring(database, *events)
    with pytest.raises(OperationalError):
        await deliver(database, ears, *events)

    assert calls[0] < 10
    assert await delivery_rows(database) == []


async def test_a_handler_that_loses_its_connection_is_no_engine_failure_for_ever(
    database: Database,
) -> None:
    if database.single_writer:
        pytest.skip("SQLite has no connection to lose")
    ears, effects = Subscriber("ears"), Effects()

    @ears.on(Rang)
    async def hear(event: Rang, session: AsyncSession) -> None:
        if event.volume == 2:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await effects(event, session)

    handling = Handling(database, ears, Random(7))
    events = rings(5)
    await subscribed(database, ears)
    await ring(database, *events)
    for _ in range(2):
        with pytest.raises((DBAPIError, OSError)):
            await deliver(database, ears, *events, handling=handling)
    await deliver(database, ears, *events, handling=handling)

    row = await only_row(database)
    assert (row.event_id, row.attempts) == (events[2].id, 1)
    assert await handled_count(database, "effects") == 4
