"""Group commit: what concurrent requests write is one transaction for all that wait at the time.

A transaction costs more than the rows of a request, so requests that come while one commits
share the next. Nobody waits for company: the first of an idle process has its transaction at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.bus.errors import is_transient
from app.errors import AppError, OverloadedError

MOST_TOGETHER = 128
"""How many items share one transaction: a bound on how long each waits for the others' work."""

MOST_WEIGHT = 2000
"""How much the items of one transaction may weigh together, unless there is only one."""

MOST_WAITING = 2048
"""How many items may wait; whoever comes then is refused instead."""

GIVES_WAY_S = 0.5
"""How long a transaction lets others go first, at most, in seconds."""

PATIENCE_S = 0.25
"""How long a transaction of many waits for a lock that another process holds, in seconds."""

_LOOKS_EVERY_S = 0.01

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

Work: TypeAlias = Callable[[AsyncSession, Sequence[Item]], Awaitable[Sequence[Outcome | AppError]]]
"""Writes what the items ask for, and returns what came of each, in their order.

An item that is refused has its error returned, not raised, and must have written nothing.
"""

# What ends one transaction of several that met, and not the database's being away.
_MET = ("40001", "40P01", "55P03")


class Writes(Protocol):
    """What a group needs of the database."""

    @property
    def is_behind(self) -> Callable[[], bool]:
        """Tells whether this process has more to do already than it can."""

    def write(self, *, lock_s: float | None = None) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction that commits when the block ends and rolls back when it raises."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Outcome]):
    """An item, and where its outcome is waited for."""

    item: Item
    weight: int
    answer: "asyncio.Future[Outcome]"
    since: float


class Group(Generic[Item, Outcome]):
    """One kind of work, for all who ask for it in this process."""

    def __init__(self, database: Writes, work: Work[Item, Outcome]) -> None:
        self._database = database
        self._work = work
        self._line: deque[_Waiting[Item, Outcome]] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._apart: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item, weight: int = 1) -> Outcome:
        """Have item written together with whatever waits, and return its outcome after the commit.

        weight is how many rows it writes, roughly: what is heavy shares with fewer.

        Whoever is cancelled while it waits in line has written nothing; once its transaction is
        under way it commits, or not, whoever still waits.

        Raises the AppError that work returned for it, OverloadedError when too many wait, and
        whatever made its transaction fail. A failure before the COMMIT was sent is the item's own:
        the others were tried again without it. An error of the COMMIT itself leaves open whether
        it happened, so nothing is tried again.
        """
        if self.waiting >= MOST_WAITING:
            metrics.REFUSED.add(1)
            msg = f"{MOST_WAITING} requests like this one wait already. Try again in a moment."
            raise OverloadedError(msg, headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        waiting = _Waiting[Item, Outcome](item, weight, loop.create_future(), time.monotonic())
        self._line.append(waiting)
        if self._flusher is None:
            # In no request's context: the transaction belongs to all of them.
            self._flusher = loop.create_task(self._flush(), context=Context())
        return await waiting.answer

    @property
    def waiting(self) -> int:
        """How many items wait for a transaction."""
        return len(self._line) + len(self._apart)

    async def drain(self) -> None:
        """Return once nothing waits; nobody may submit meanwhile."""
        while tasks := {task for task in (self._flusher, *self._apart) if task is not None}:
            await asyncio.wait(tasks)

    async def _flush(self) -> None:
        """Commit what waits, until nothing does."""
        try:
            while batch := self._next():
                await self._commit(batch)
                await self._give_way()
        finally:
            self._flusher = None
            # A loop that ends cancels its tasks, and nobody shall wait for an answer then.
            for waiting in self._line:
                waiting.answer.cancel()
            self._line.clear()

    async def _give_way(self) -> None:
        """Leave the process to its loops for a while, where they have fallen behind.

        They share one thread with the requests, of which many more would else come to their turn.
        """
        until = time.monotonic() + GIVES_WAY_S
        while self._line and self._database.is_behind() and time.monotonic() < until:  # noqa: ASYNC110 - nobody is there to set an event
            await asyncio.sleep(_LOOKS_EVERY_S)

    def _next(self) -> list[_Waiting[Item, Outcome]]:
        batch: list[_Waiting[Item, Outcome]] = []
        room = MOST_WEIGHT
        while self._line and len(batch) < MOST_TOGETHER:
            room -= self._line[0].weight
            if batch and room < 0:
                break
            waiting = self._line.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _commit(
        self, batch: Sequence[_Waiting[Item, Outcome]], lock_s: float | None = PATIENCE_S
    ) -> None:
        """Write a batch and answer it; one that cannot be written is halved until it can."""
        sent = False
        try:
            async with self._database.write(lock_s=lock_s) as session:
                outcomes = await self._work(session, [waiting.item for waiting in batch])
                sent = True
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            if sent or _concerns_all(error):
                _fail(batch, error)
            elif len(batch) > 1:
                middle = len(batch) // 2
                await self._commit(batch[:middle])
                await self._commit(batch[middle:])
            elif _met(error) and lock_s is not None:
                self._set_apart(batch)
            else:
                _fail(batch, error)
        except BaseException:
            for waiting in batch:
                waiting.answer.cancel()
            raise
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _answer(waiting, outcome)
            metrics.TOGETHER.see(len(batch))
            metrics.TOGETHER_WAIT.see(time.monotonic() - batch[0].since)

    def _set_apart(self, batch: Sequence[_Waiting[Item, Outcome]]) -> None:
        """Let an item wait for a lock as long as any request may, and nobody for it."""
        task = asyncio.get_running_loop().create_task(self._commit(batch, lock_s=None))
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)


def _met(error: BaseException) -> bool:
    """Tell whether another transaction was in the way of this one."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _MET


def _concerns_all(error: BaseException) -> bool:
    """Tell whether the database itself is in trouble: then halves would only meet it again."""
    return is_transient(error) and not _met(error)


def _answer(waiting: _Waiting[Any, Outcome], outcome: Outcome | AppError) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, AppError):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)


def _fail(batch: Sequence[_Waiting[Any, Any]], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
