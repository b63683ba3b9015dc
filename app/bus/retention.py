"""Retention: settled events go after some days, in small steps; what is owed never does."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Uuid, and_, delete, exists, insert, select, tuple_, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import settled
from app.bus.delivery import State
from app.bus.errors import is_transient
from app.bus.sql import Transactions, later, rows
from app.bus.supervise import Pulse
from app.bus.tables import (
    delivery,
    failed_attempt,
    inbox,
    log_head,
    outbox,
    pruned,
    subscription,
)
from app.bus.unregister import former_names

log = structlog.get_logger(__name__)

_DAY_S = 86_400.0

Forget: TypeAlias = Callable[[AsyncSession, int], Awaitable[int]]
"""Removes up to so many rows whose time is over, and returns how many it removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How many days a settled event is kept, and the size and pace of the steps, in seconds."""

    days: float = 14.0
    step: int = 1_000
    pause_s: float = 0.1
    every_s: float = 300.0


class Retention:
    """Prunes the outbox, and a day later the inbox, delivery and attempt rows of what was pruned.

    Whatever else is kept for a time only goes along: see `Forget`.

    An event is settled when it is published and every subscriber that is owed it has handled or
    discarded it. One with a due row or an unresolved dead letter stays, however old. Steps are
    short transactions with pauses between them, one pruner at a time.
    """

    name = "retention"

    def __init__(
        self,
        database: Transactions,
        policy: RetentionPolicy | None = None,
        others: Sequence[Forget] = (),
    ) -> None:
        self._database = database
        self._policy = policy or RetentionPolicy()
        self._steps = (self._follow, *others)

    async def run(self, pulse: Pulse) -> None:
        """Prune until told to stop."""
        while not pulse.stopping:
            try:
                gone = await self.run_round(pulse)
            except Exception as error:
                if not is_transient(error):
                    raise
                await pulse.wait_out(error)
                continue
            if gone:
                log.info("settled events pruned", count=gone, older_than_days=self._policy.days)
            await self._rest(pulse)

    async def _rest(self, pulse: Pulse) -> None:
        """Wait for the next round, with a beat in between."""
        left = self._policy.every_s
        while left > 0 and not pulse.stopping:
            pulse.beat()
            await pulse.sleep(min(left, 10.0))
            left -= 10.0

    async def run_round(self, pulse: Pulse | None = None) -> int:
        """Prune whatever is old enough and return how many events went."""
        gone, after = 0, 0
        while True:
            async with self._database.write() as session:
                if not await settled.try_hold(session):
                    break
                page = await self._old(session, after)
                gone += await _prune(session, [event_id for event_id, _ in page])
            if len(page) < self._policy.step or await self._stops(pulse):
                break
            after = page[-1][1]
        for step in self._steps:
            while True:
                async with self._database.write() as session:
                    removed = await step(session, self._policy.step)
                if removed < self._policy.step or await self._stops(pulse):
                    break
        return gone

    async def _stops(self, pulse: Pulse | None) -> bool:
        """Let others write between two steps, and tell whether to stop instead."""
        if pulse is None:
            return False
        pulse.beat()
        await pulse.sleep(self._policy.pause_s)
        return pulse.stopping

    async def _old(self, session: AsyncSession, after: int) -> Sequence[tuple[UUID, int]]:
        """Return the next events of the log that are old enough, settled or not."""
        found = await session.execute(
            select(outbox.c.event_id, outbox.c.log_position)
            .where(
                outbox.c.log_position > after,
                outbox.c.published_at <= later(-self._policy.days * _DAY_S),
            )
            .order_by(outbox.c.log_position)
            .limit(self._policy.step)
        )
        return [(row.event_id, row.log_position) for row in found]

    @staticmethod
    async def _follow(session: AsyncSession, limit: int) -> int:
        """Remove what else is kept of events pruned a day ago, and return of how many.

        Their inbox and delivery rows, and what is remembered of failed attempts.
        """
        found = await session.scalars(
            select(pruned.c.event_id)
            .where(pruned.c.pruned_at <= later(-_DAY_S))
            .order_by(pruned.c.pruned_at)
            .limit(limit)
        )
        event_ids = found.all()
        if not event_ids:
            return 0
        given = rows(session, event_id=(Uuid(), event_ids))
        names = union(select(subscription.c.subscriber), former_names()).subquery()
        # By the whole primary key: neither table has an index on the event alone.
        keys = select(names.c.subscriber, given.c.event_id).join(
            given, given.c.event_id.is_not(None)
        )
        for table in (inbox, delivery):
            await session.execute(
                delete(table).where(tuple_(table.c.subscriber, table.c.event_id).in_(keys))
            )
        for table in (failed_attempt, pruned):
            of_these = table.c.event_id.in_(select(given.c.event_id))
            await session.execute(delete(table).where(of_these))
        return len(event_ids)


async def _prune(session: AsyncSession, event_ids: Sequence[UUID]) -> int:
    """Remove those of these events that are settled, note them, and return how many."""
    if not event_ids:
        return 0
    given = rows(session, event_id=(Uuid(), event_ids))
    unresolved = select(delivery.c.event_id).where(
        delivery.c.state.in_([State.DUE, State.DEAD]),
        delivery.c.event_id.in_(select(given.c.event_id)),
        # What a worker wrote while its subscriber was unregistered is nobody's.
        delivery.c.subscriber.in_(select(subscription.c.subscriber)),
    )
    handled, waived = (
        exists()
        .where(
            table.c.subscriber == subscription.c.subscriber, table.c.event_id == outbox.c.event_id
        )
        .correlate(subscription, outbox)
        for table in (inbox, delivery)
    )
    owed = exists().where(
        and_(
            subscription.c.event_type == outbox.c.type,
            subscription.c.since_log_position < outbox.c.log_position,
        ),
        ~handled,
        ~waived,
    )
    gone = await session.execute(
        delete(outbox)
        .where(
            outbox.c.event_id.in_(select(given.c.event_id)),
            outbox.c.event_id.not_in(unresolved),
            ~owed,
        )
        .returning(outbox.c.event_id, outbox.c.log_position)
    )
    taken = gone.all()
    if taken:
        await session.execute(insert(pruned), [{"event_id": row.event_id} for row in taken])
        # Last, because the relay waits for this row. One that stayed behind may go much later.
        highest = max(row.log_position for row in taken)
        await session.execute(
            update(log_head)
            .where(log_head.c.pruned_position < highest)
            .values(pruned_position=highest)
        )
    return len(taken)
