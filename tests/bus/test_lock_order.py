"""One lock order for keys and rows: an event may fail here while it is due there."""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from uuid import UUID

import anyio
import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import delivery as owed, lease
from app.bus.delivery import State
from app.bus.handling import Handling
from app.bus.source import FromDatabase, FromStream
from app.bus.verdict import Verdict
from app.db import Database
from tests.bus.owing import ripen
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    ring,
    subscribed,
)
from tests.transactions import blocked


async def test_a_failure_from_the_stream_and_a_due_copy_do_not_wait_for_each_other(
    database: Database,
) -> None:
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    event, ears = Rang(bell="a"), listening(Effects())
    failure = Verdict(
        event_id=event.id,
        event_type=event.type,
        cause=event,
        state=State.DUE,
        attempts=1,
        delay_s=60,
        error_type="Boom",
        error="boom",
    )
    await subscribed(database, ears)
    await ring(database, event)
    has_key, may_fail = anyio.Event(), anyio.Event()

    async def fails() -> None:
        stream = FromStream("ears")
        async with database.write() as session:
            assert await stream.claim(session, {event.id: 1}) == {event.id}
            has_key.set()
            await may_fail.wait()
            # What is due by now is not for the stream to say.
            with pytest.raises(IntegrityError):
                await stream.settle(session, {event.id: failure})
            await session.rollback()

    async def succeeds(attempts: int) -> None:
        due = FromDatabase("ears")
        async with database.write() as session:
            assert await due.claim(session, {event.id: attempts}) == {event.id}
            await due.settle(session, {})

    async with anyio.create_task_group() as both:
        both.start_soon(fails)
        await has_key.wait()
        # As reconcile does, when the stream was lost after the event had been read from it.
        async with database.write() as session:
            await owed.park(session, "ears", [event.id])
        await ripen(database)
        async with database.write() as session:
            [row] = await lease.claim(session, "ears", ears.handlers, limit=9, lease_s=30)
        both.start_soon(succeeds, row.attempts)
        await blocked(database)
        may_fail.set()

    assert await delivery_rows(database) == []
    assert await handled_count(database, "ears") == 1


async def test_a_verdict_that_is_overtaken_by_a_due_row_leaves_it_as_it_is(
    database: Database,
) -> None:
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    event, ears = Rang(bell="a"), listening(Effects())
    await subscribed(database, ears)
    await ring(database, event)

    async def park() -> None:
        async with database.write() as session:
            await owed.park(session, "ears", [event.id])

    class Overtaken(FromStream):
        async def claim(self, session: AsyncSession, attempts: Mapping[UUID, int]) -> set[UUID]:
            taken = await super().claim(session, attempts)
            if taken:
                await asyncio.create_task(park(), context=Context())
            return taken

    failure = Verdict(event.id, event.type, event, State.DEAD, 1, "Boom", "boom")
    await Handling(database, ears).write([failure], Overtaken("ears"))

    [row] = await delivery_rows(database)
    assert (row.state, row.reason, row.error) == ("due", "parked", None)
    assert await handled_count(database, "ears") == 0
