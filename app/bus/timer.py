"""Timers: work that becomes due by the clock, swept by every worker.

What is due is a row with a time in it, the module's own; a sweep takes some such rows, never those
another worker holds, and does in one transaction what their time has come for. So a timer survives
any crash, and two workers never act on the same row.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import is_transient
from app.bus.sql import Transactions
from app.bus.supervise import Pulse

Sweep = Callable[[AsyncSession], Awaitable[int]]
"""Act on some of the rows that are due by the database's clock, and return how many."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A sweep that is run every so many seconds, and at once again while it finds something."""

    name: str
    sweep: Sweep
    every_s: float = 1.0


class TimerLoop:
    """Runs one timer until told to stop, each sweep in a write transaction of its own."""

    def __init__(self, database: Transactions, timer: Timer) -> None:
        self.name = f"timer:{timer.name}"
        self._database = database
        self._timer = timer

    async def run(self, pulse: Pulse) -> None:
        """Sweep until told to stop; an unreachable database is waited out."""
        while not pulse.stopping:
            try:
                async with self._database.write() as session:
                    found = await self._timer.sweep(session)
            except Exception as error:
                if not is_transient(error):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            if not found:
                await pulse.sleep(self._timer.every_s)
