"""Where deliveries come from decides who may run them and what success removes."""

from collections.abc import Mapping, Set as AbstractSet
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import delivery as owed, inbox, lease, verdict as verdicts
from app.bus.delivery import Reason
from app.bus.event import Event
from app.bus.prepared import ride, write
from app.bus.subscriber import Handler
from app.bus.verdict import Verdict

log = structlog.get_logger(__name__)


class Delivery(NamedTuple):
    """An event, the handler it goes to, and how many attempts this one makes.

    reason says why the database owes it, None that the stream brought it.
    """

    event: Event
    handler: Handler
    attempts: int = 1
    reason: Reason | None = None


class Source(Protocol):
    """What a transaction does before and after handlers run."""

    async def claim(self, session: AsyncSession, attempts: Mapping[UUID, int]) -> set[UUID]:
        """Take the inbox keys and return the events that may run in this transaction."""

    async def give_back(self, session: AsyncSession, event_ids: AbstractSet[UUID]) -> None:
        """Leave events as they were before this transaction claimed them."""

    async def settle(self, session: AsyncSession, failed: Mapping[UUID, Verdict]) -> None:
        """Write what became of the events claimed in this transaction; the others succeeded."""


class FromStream:
    """Deliveries the stream carries: an event runs when its inbox row is its first row."""

    def __init__(self, subscriber: str) -> None:
        self._subscriber = subscriber

    async def claim(self, session: AsyncSession, attempts: Mapping[UUID, int]) -> set[UUID]:
        """Take the keys; an event whose delivery row the database keeps gets none."""
        new = await inbox.claim(session, self._subscriber, attempts)
        if len(new) < len(attempts):
            await self._tell_strange(session, attempts.keys() - new)
        # Said again after the insert, which may have waited for a twin that failed meanwhile.
        if new and (guard := owed.none_held_back(session, self._subscriber, new)) is not None:
            ride(session, guard)
        return new

    async def _tell_strange(self, session: AsyncSession, passed: AbstractSet[UUID]) -> None:
        """Log how many of the events that do not run here are none of this database's."""
        strange = await inbox.unwritten(session, self._subscriber, passed)
        if strange:
            log.warning(
                "entries dropped: this database never wrote their events",
                subscriber=self._subscriber,
                count=len(strange),
            )

    async def give_back(self, session: AsyncSession, event_ids: AbstractSet[UUID]) -> None:
        """Remove their inbox rows again."""
        await inbox.release(session, self._subscriber, event_ids)

    async def settle(self, session: AsyncSession, failed: Mapping[UUID, Verdict]) -> None:
        """Write the failures as rows, in place of their inbox rows."""
        await write(session)
        await verdicts.record(session, self._subscriber, list(failed.values()), failed.keys())


class FromDatabase:
    """Deliveries of due rows: the row, as it was claimed, is the right to run the event once."""

    def __init__(self, subscriber: str) -> None:
        self._subscriber = subscriber
        self._inserted: set[UUID] = set()
        self._locked: set[UUID] = set()

    async def claim(self, session: AsyncSession, attempts: Mapping[UUID, int]) -> set[UUID]:
        """Take the keys, then lock the rows; what was handled meanwhile runs for a replay only.

        Keys come first everywhere: whoever fails the same event, out of the stream, holds its key
        and then writes its row.
        """
        taken = await inbox.take(session, self._subscriber, attempts)
        reasons = await lease.lock(session, self._subscriber, attempts)
        self._locked = set(reasons)
        self._inserted = taken & self._locked
        if gone := taken - self._locked:
            await inbox.release(session, self._subscriber, gone)
        replays = {event_id for event_id, reason in reasons.items() if reason is Reason.REPLAY}
        return self._inserted | replays

    async def give_back(self, session: AsyncSession, event_ids: AbstractSet[UUID]) -> None:
        """Remove their inbox rows again, and keep their rows as claimed."""
        await inbox.release(session, self._subscriber, self._inserted & event_ids)
        self._locked -= event_ids

    async def settle(self, session: AsyncSession, failed: Mapping[UUID, Verdict]) -> None:
        """Remove the rows that are done with, and write the failures into theirs."""
        if done := self._locked - set(failed):
            await lease.finish(session, self._subscriber, done)
        keys = self._inserted & failed.keys()
        await verdicts.record(session, self._subscriber, list(failed.values()), keys)
