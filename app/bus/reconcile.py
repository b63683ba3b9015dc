"""Reconcile: what the stream lost, the database owes. This is what makes Redis disposable."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import metrics, scripts, settled
from app.bus.errors import StreamError, is_transient
from app.bus.settled import Window
from app.bus.sql import Transactions, count_afresh
from app.bus.stream import Stream
from app.bus.supervise import Pulse
from app.bus.tables import delivery

log = structlog.get_logger(__name__)

# So many new rows at once are worth telling the database's planner about.
_MANY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePolicy:
    """Ages and waits in seconds, and how much of the log is looked at.

    after_s is how long ago an event must have been published before the stream is asked about it;
    it spares the stream, and decides nothing. A round looks at `windows` stretches of `window`
    places per subscriber and goes on where it ended, for as long as it finds losses at once.
    """

    after_s: float = 15.0
    every_s: float = 5.0
    window: int = 5_000
    windows: int = 4


class Reconcile:
    """Finds owed deliveries that the stream lost, proves it, and makes them due.

    For every registered subscriber, whichever of them run in this process. Any number may run; on
    PostgreSQL one is active at a time. The stream is asked before the inbox is looked at again:
    what was handled in between was acknowledged after its inbox row was committed.
    """

    name = "reconcile"

    def __init__(
        self, database: Transactions, stream: Stream, policy: ReconcilePolicy | None = None
    ) -> None:
        self._database = database
        self._stream = stream
        self._policy = policy or ReconcilePolicy()
        self._next: dict[str, int] = {}

    async def run(self, pulse: Pulse) -> None:
        """Reconcile until told to stop."""
        while not pulse.stopping:
            try:
                await self.run_round(pulse)
            except Exception as error:
                if not (isinstance(error, StreamError) or is_transient(error)):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            await pulse.sleep(self._policy.every_s)

    async def run_round(self, pulse: Pulse | None = None) -> int:
        """Reconcile every subscriber and return how many deliveries were made due."""
        async with self._database.read() as session:
            subscribers = sorted(await settled.registry(session))
        made = 0
        for subscriber in subscribers:
            windows = 0
            while windows < self._policy.windows and not (pulse and pulse.stopping):
                due, go_on = await self._run_window(subscriber)
                made += due
                if not go_on:
                    break
                windows += 0 if due else 1
                if pulse:
                    pulse.beat()
        if made >= _MANY:
            async with self._database.write() as session:
                await count_afresh(session, delivery)
        return made

    async def _run_window(self, subscriber: str) -> tuple[int, bool]:
        """Reconcile one stretch of the log; return how many were lost, and whether to go on."""
        if self._database.single_writer:
            async with self._database.read() as session:
                seen = await self._look(session, subscriber)
            lost = await self._lost(subscriber, seen)
            async with self._database.write() as session:
                due = await self._settle(session, subscriber, seen, lost)
        else:
            async with self._database.write() as session:
                if not await settled.try_hold(session):
                    return 0, False
                seen = await self._look(session, subscriber)
                lost = await self._lost(subscriber, seen)
                due = await self._settle(session, subscriber, seen, lost)
        if due:
            metrics.LOSSES_PROVEN.add(due, subscriber)
            log.warning("deliveries lost by the stream made due", subscriber=subscriber, count=due)
        # After an event too young to ask about, all are younger still.
        if seen.is_last or not all(one.ripe for one in seen.unsettled):
            self._next.pop(subscriber, None)
            return due, False
        self._next[subscriber] = seen.to
        return due, True

    async def _look(self, session: AsyncSession, subscriber: str) -> Window:
        """Look on where the last round ended, or where all before is settled."""
        mark = await settled.mark(session, subscriber)
        return await settled.window(
            session,
            subscriber,
            after=max(mark, self._next.get(subscriber, 0)),
            size=self._policy.window,
            ripe_s=self._policy.after_s,
        )

    async def _lost(self, subscriber: str, seen: Window) -> set[UUID]:
        """Return what of a window the stream provably lost."""
        by_context: dict[str, list[tuple[str, UUID]]] = defaultdict(list)
        for one in seen.unsettled:
            if one.ripe:
                by_context[one.context].append((one.stream_id, one.event_id))
        lost: set[UUID] = set()
        for context, waiting in by_context.items():
            lost |= await scripts.lost(self._stream, context, subscriber, waiting)
        return lost

    async def _settle(
        self, session: AsyncSession, subscriber: str, seen: Window, lost: set[UUID]
    ) -> int:
        """Make due what was lost and is still unsettled, and move the mark."""
        due = await settled.make_due(session, subscriber, lost) if lost else set()
        await settled.advance(session, subscriber, seen, due)
        return len(due)
