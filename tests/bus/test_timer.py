"""Timers on real databases: swept until nothing is due, by one worker per row."""

import anyio
import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import new_id
from app.bus.sql import now
from app.bus.supervise import Supervisor
from app.bus.tables import pruned
from app.bus.timer import Timer, TimerLoop
from app.db import Database


@pytest.mark.parametrize("workers", [1, 3])
async def test_due_rows_are_swept_once_each_by_any_number_of_workers(
    database: Database, workers: int
) -> None:
    ids = [new_id() for _ in range(40)]
    async with database.write() as session:
        await session.execute(pruned.insert(), [{"event_id": id_} for id_ in ids])
    swept: list[object] = []

    async def sweep(session: AsyncSession) -> int:
        due = select(pruned.c.event_id).where(pruned.c.pruned_at <= now()).limit(7)
        taken = list(await session.scalars(due.with_for_update(skip_locked=True)))
        await session.execute(delete(pruned).where(pruned.c.event_id.in_(taken)))
        swept.extend(taken)
        return len(taken)

    loops = [TimerLoop(database, Timer("clocks", sweep, 0.01)) for _ in range(workers)]
    supervisor = Supervisor(loops, lambda: None)
    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run)
        with anyio.fail_after(10):
            while len(swept) < len(ids):
                await anyio.sleep(0.01)
        supervisor.stop()
        await supervisor.ended()

    assert sorted(map(str, swept)) == sorted(map(str, ids))
    assert supervisor.failure is None


async def test_a_sweep_with_a_bug_takes_the_process_down(database: Database) -> None:
    async def sweep(session: AsyncSession) -> int:
        del session
        raise ZeroDivisionError

    died: list[bool] = []
    supervisor = Supervisor(
        [TimerLoop(database, Timer("clocks", sweep))], lambda: died.append(True)
    )
    await supervisor.run()

    assert died == [True]
    assert isinstance(supervisor.failure, ZeroDivisionError)
