"""Blame: run a handler in a transaction, and find the events it raises for without losing that.

The first run is a plain one. When it raised, the next one goes back to a savepoint after each
error, so that a poisonous event does not cost its neighbours many small transactions. An event is
blamed for what it raises alone: in a transaction that holds nothing of another event, in a session
that remembers none.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.call import call
from app.bus.errors import HandlerTimeoutError, is_transient
from app.bus.event import Event
from app.bus.prepared import write
from app.bus.source import Delivery
from app.bus.subscriber import Failed, Handler


class Raised(NamedTuple):
    """What an event raised alone, and how long its handler ran."""

    error: Exception
    took_ms: float


class Ran(NamedTuple):
    """How the events of one handler went, in how long; those it says nothing of went well.

    Suspects raised in company, and left nothing here.
    """

    returned: Sequence[Failed[Event]] = ()
    took_ms: float = 0.0
    blamed: Mapping[UUID, Raised] = {}
    suspects: AbstractSet[UUID] = frozenset()


def may_be_told_apart(error: Exception) -> bool:
    """Tell whether an error says something of one event, and soon.

    To find out in one transaction which event takes too long would hold it several times as long.
    """
    return not (is_transient(error) or isinstance(error, HandlerTimeoutError))


class How(Enum):
    """How a transaction runs its deliveries."""

    PLAINLY = auto()
    """All in one go: what a handler raises is raised, and the transaction lost."""
    CAREFULLY = auto()
    """Undoing no more than what the events did that raise."""
    ALONE = auto()
    """One after the other until one goes well, so that none has company."""


class Runner:
    """Runs a handler on the deliveries of a transaction; timeout_s is for one without its own.

    `at` is the event whose handler raised, when it is known; took_ms is how long the last call ran.
    took hears how many seconds each call of a handler took that did not raise.
    """

    def __init__(
        self, timeout_s: float, took: Callable[[Handler, float], None] = lambda *_: None
    ) -> None:
        self._timeout_s = timeout_s
        self._took = took
        self.at: UUID | None = None
        self.took_ms = 0.0
        self._is_empty = True
        self._raises: Handler | None = None
        self._raised: Handler | None = None
        self._poison: dict[Handler, float] = {}

    def first(self) -> How:
        """Return how to run deliveries at first: poison seldom comes alone."""
        self._raises = None
        return How.CAREFULLY if self._poison else How.PLAINLY

    def begin(self) -> None:
        """Begin with a transaction, which holds no effects yet."""
        self._is_empty = True
        self._raised, self._raises = self._raises, None

    async def run(
        self, how: How, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run a batch that has one handler, and tell how it went.

        Raises what a handler raises when run plainly, and else what cannot be told apart.
        """
        if how is How.PLAINLY:
            return await self._plainly(handler, batch, session)
        if how is How.ALONE:
            return await self._alone(handler, batch, session)
        run = self._all_but_culprits if handler.batch else self._passing_over
        ran = await run(handler, batch, session)
        if culprits := len(ran.blamed) + len(ran.suspects):
            self._poison[handler] = culprits / len(batch)
        else:
            self._poison.pop(handler, None)
        return ran

    async def _plainly(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        self.at = None
        self._is_empty, self._raises = False, handler
        began = time.perf_counter()
        returned: Sequence[Failed[Event]] = ()
        try:
            if handler.batch:
                events = [given.event for given in batch]
                returned = await self._call(handler, events, session)
            else:
                for given in batch:
                    self.at = given.event.id
                    await self._call(handler, [given.event], session)
                self.at = None
        finally:
            self.took_ms = round((time.perf_counter() - began) * 1000, 3)
        self._raises = None
        return Ran(returned, self.took_ms)

    async def _call(
        self, handler: Handler, events: Sequence[Event], session: AsyncSession
    ) -> Sequence[Failed[Event]]:
        began = time.perf_counter()
        failed = await call(handler, events, session, self._timeout_s)
        self._took(handler, time.perf_counter() - began)
        return failed

    async def _alone(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run suspects until one goes well, whose effects stay: the next would have company."""
        blamed: dict[UUID, Raised] = {}
        for place, given in enumerate(batch):
            if not self._is_empty:
                return Ran(blamed=blamed, suspects=_ids(batch[place:]))
            ran = await self._try(handler, [given], session, keep=True)
            if isinstance(ran, Ran):
                return ran._replace(blamed=blamed, suspects=_ids(batch[place + 1 :]))
            blamed[given.event.id] = ran
        return Ran(blamed=blamed)

    async def _passing_over(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run events one by one, in order, and only those again that ran before one that raised."""
        blamed: dict[UUID, Raised] = {}
        suspects: set[UUID] = set()
        waiting = self._parts(handler, batch)[::-1]
        while waiting:
            part = waiting.pop()
            had_company = not self._is_empty
            ran = await self._try(handler, part, session, keep=True)
            if isinstance(ran, Ran):
                continue
            parts = _cut(part, self.at)
            if len(parts) == 1:
                culprit, rest = part[0].event.id, part[1:]
                if had_company:
                    suspects.add(culprit)
                else:
                    blamed[culprit] = ran
                parts = [rest] if rest else []
            waiting += parts[::-1]
        return Ran(blamed=blamed, suspects=suspects)

    def _parts(self, handler: Handler, batch: Sequence[Delivery]) -> list[Sequence[Delivery]]:
        """Return what to run between two savepoints, so that these and what is undone cost least.

        A savepoint costs about as much as an event.
        """
        share = self._poison.get(handler)
        if handler is self._raised or not share:
            return _cut(batch, self.at)
        size = max(1, round(math.sqrt(2 / share)))
        return [batch[place : place + size] for place in range(0, len(batch), size)]

    async def _all_but_culprits(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run in one call, as ever, what does not raise: it locks in the order of its batch."""
        had_company = not self._is_empty
        if handler is not self._raised:
            ran = await self._try(handler, batch, session, keep=True)
            if isinstance(ran, Ran):
                return ran
        culprits = await self._culprits(handler, batch, session, known=True)
        good = [given for given in batch if given.event.id not in culprits]
        ran = await self._plainly(handler, good, session) if good else Ran()
        if had_company:
            return ran._replace(suspects=culprits.keys())
        return ran._replace(blamed=culprits)

    async def _culprits(
        self, handler: Handler, part: Sequence[Delivery], session: AsyncSession, *, known: bool
    ) -> dict[UUID, Raised]:
        """Return what raises, event by event, by halving; known says that something does.

        Nothing that was done to find out is kept.
        """
        if not known or len(part) == 1:
            ran = await self._try(handler, part, session, keep=False)
            if isinstance(ran, Ran):
                return {}
            if len(part) == 1:
                return {part[0].event.id: ran}
        half = len(part) // 2
        found = await self._culprits(handler, part[:half], session, known=False)
        return found | await self._culprits(handler, part[half:], session, known=not found)

    async def _try(
        self, handler: Handler, part: Sequence[Delivery], session: AsyncSession, *, keep: bool
    ) -> Ran | Raised:
        """Run part after a savepoint, and go back there unless all went well and is to be kept.

        Where nothing was done before, the session is as new then. Raises what cannot be told apart.
        """
        # What rides with the first write is nothing that an event is to blame for.
        await write(session)
        was_empty, info = self._is_empty, dict(session.info)
        told: Ran | Raised
        try:
            async with session.begin_nested() as savepoint:
                told = await self._plainly(handler, part, session)
                if keep:
                    return told
                await session.flush()
                await savepoint.rollback()
        except Exception as error:
            if not may_be_told_apart(error):
                raise
            told = Raised(error, self.took_ms)
        if was_empty:
            session.expunge_all()
            session.info.clear()
            session.info.update(info)
        self._is_empty = was_empty
        return told


def _ids(batch: Sequence[Delivery]) -> set[UUID]:
    return {given.event.id for given in batch}


def _cut(batch: Sequence[Delivery], at: UUID | None) -> list[Sequence[Delivery]]:
    """Return batch in two, before the event whose handler raised; whole when that is its first.

    In half when nobody knows: it may have been a change that was sent after its handler.
    """
    place = len(batch) // 2
    if at is not None:
        place = next((place for place, given in enumerate(batch) if given.event.id == at), 0)
    return [part for part in (batch[:place], batch[place:]) if part]
