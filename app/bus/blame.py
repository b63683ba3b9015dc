"""Blame: run a handler in a transaction, and find the events it raises for without losing that.

The first run is a plain one. When it raised, the next one goes back to a savepoint after each
error, so that a poisonous event does not cost its neighbours many small transactions.
"""

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.call import call
from app.bus.errors import HandlerTimeoutError, is_transient
from app.bus.event import Event
from app.bus.source import Delivery
from app.bus.subscriber import Failed, Handler


@dataclass(frozen=True, slots=True)
class Ran:
    """How the events of one handler went: failures it returned, and events it raised for."""

    returned: Sequence[Failed[Event]] = ()
    culprits: AbstractSet[UUID] = frozenset()


def may_be_told_apart(error: Exception) -> bool:
    """Tell whether an error says something of one event, and soon.

    To find out in one transaction which event takes too long would hold it several times as long.
    """
    return not (is_transient(error) or isinstance(error, HandlerTimeoutError))


class Runner:
    """Runs a handler on the deliveries of a transaction; timeout_s is for one without its own.

    `at` is the event whose handler raised, when it is known. took hears how many seconds each call
    of a handler took that did not raise.
    """

    def __init__(
        self, timeout_s: float, took: Callable[[Handler, float], None] = lambda *_: None
    ) -> None:
        self._timeout_s = timeout_s
        self._took = took
        self.at: UUID | None = None

    async def plainly(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run a batch and raise what its handler raises: the transaction is lost then."""
        self.at = None
        if handler.batch:
            events = [given.event for given in batch]
            return Ran(await self._call(handler, events, session))
        for given in batch:
            self.at = given.event.id
            await self._call(handler, [given.event], session)
        self.at = None
        return Ran()

    async def _call(
        self, handler: Handler, events: Sequence[Event], session: AsyncSession
    ) -> Sequence[Failed[Event]]:
        began = time.perf_counter()
        failed = await call(handler, events, session, self._timeout_s)
        self._took(handler, time.perf_counter() - began)
        return failed

    async def carefully(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run a batch that may hold events that raise, and undo no more than these did.

        A culprit may be the victim of another event, so it is to be run alone before it is
        blamed. Raises what cannot be told apart.
        """
        if not handler.batch:
            return await self._passing_over(handler, batch, session)
        culprits = await self._culprits(handler, batch, session, known=True)
        good = [given for given in batch if given.event.id not in culprits]
        # In one call, as ever: the order in which it locks what it changes is that of its batch.
        ran = await self.plainly(handler, good, session) if good else Ran()
        return Ran(ran.returned, culprits)

    async def _passing_over(
        self, handler: Handler, batch: Sequence[Delivery], session: AsyncSession
    ) -> Ran:
        """Run events one by one, in order, and only those again that ran before one that raised."""
        culprits: set[UUID] = set()
        waiting = _cut(batch, self.at)[::-1]
        while waiting:
            part = waiting.pop()
            if not await self._raises(handler, part, session, keep=True):
                continue
            parts = _cut(part, self.at)
            if len(parts) == 1:
                culprits.add(part[0].event.id)
                parts = [part[1:]] if part[1:] else []
            waiting += parts[::-1]
        return Ran(culprits=culprits)

    async def _culprits(
        self, handler: Handler, part: Sequence[Delivery], session: AsyncSession, *, known: bool
    ) -> set[UUID]:
        """Return the events that raise alone, by halving; known says that part holds one.

        Nothing that was done to find out is kept.
        """
        if not known or len(part) == 1:
            if not await self._raises(handler, part, session, keep=False):
                return set()
            if len(part) == 1:
                return {part[0].event.id}
        half = len(part) // 2
        found = await self._culprits(handler, part[:half], session, known=False)
        return found | await self._culprits(handler, part[half:], session, known=not found)

    async def _raises(
        self, handler: Handler, part: Sequence[Delivery], session: AsyncSession, *, keep: bool
    ) -> bool:
        """Run part after a savepoint, and go back there unless all went well and is to be kept."""
        try:
            async with session.begin_nested() as savepoint:
                await self.plainly(handler, part, session)
                if not keep:
                    await session.flush()
                    await savepoint.rollback()
        except Exception as error:
            if not may_be_told_apart(error):
                raise
            return True
        return False


def _cut(batch: Sequence[Delivery], at: UUID | None) -> list[Sequence[Delivery]]:
    """Return batch in two, before the event whose handler raised; whole when that is its first.

    In half when nobody knows: it may have been a change that was sent after its handler.
    """
    place = len(batch) // 2
    if at is not None:
        place = next((place for place, given in enumerate(batch) if given.event.id == at), 0)
    return [part for part in (batch[:place], batch[place:]) if part]
