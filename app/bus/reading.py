"""One reading of the flow: how far every part has come, taken cheaply enough to be taken often.

A few statements over the ends of indexes and one script per stream. No count goes on for ever: past
a limit it says so, so that a backlog of a million costs no more than one of ten thousand.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import anyio
from sqlalchemy import Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import settled
from app.bus.errors import StreamError
from app.bus.sql import Transactions, now
from app.bus.stream import Stream
from app.bus.stream_view import GroupView, StreamView, stream_view
from app.bus.tables import log_head, outbox

COUNTED = 10_000
"""So far things are counted; what is more is told as this many, and capped."""

# An engine that is slower than this is as good as away for whoever looks.
_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far everything was at a moment of the database's clock.

    taken_s is this process's monotonic clock, for rates. recorded is the last place in the outbox,
    published that in the log. streams is None when the engine did not answer.
    """

    at: datetime
    taken_s: float
    recorded: int
    published: int
    unpublished: int
    oldest_unpublished_s: float | None
    registry: Mapping[str, set[str]] = field(default_factory=dict)
    streams: Mapping[str, StreamView] | None = None

    @property
    def unpublished_capped(self) -> bool:
        """Whether there are more than were counted."""
        return self.unpublished > COUNTED

    def recorded_since(self, before: "Reading") -> int:
        """Return how many events were recorded since another reading.

        The log counts them without a gap; where too many wait to be counted, places have to do.
        """
        if self.unpublished_capped or before.unpublished_capped:
            return self.recorded - before.recorded
        waiting = self.unpublished - before.unpublished
        return self.published - before.published + waiting

    def lag_of(self, subscriber: str) -> int | None:
        """Return how many entries a subscriber's groups have not read; None where nobody knows."""
        return _sum(group.lag for group in self.groups_of(subscriber))

    def handled_of(self, subscriber: str) -> int | None:
        """Return how many entries a subscriber's groups have acknowledged so far."""
        return _sum(group.handled for group in self.groups_of(subscriber))

    def groups_of(self, subscriber: str) -> list[GroupView]:
        """Return the groups of a subscriber on the streams it is registered for."""
        if self.streams is None:
            return []
        views = [self.streams[context] for context in sorted(self.registry.get(subscriber, ()))]
        return [group for view in views for group in view.groups if group.subscriber == subscriber]


def _sum(parts: Iterable[int | None]) -> int | None:
    """Return the sum, None when a part of it is not known or there is none."""
    known = list(parts)
    return sum(one or 0 for one in known) if known and None not in known else None


def capped(query: Select[Any]) -> Select[Any]:
    """Return the count of a query's rows, of COUNTED + 1 at most."""
    return select(func.count()).select_from(query.limit(COUNTED + 1).subquery())


_UNPUBLISHED = select(literal(1).label("one")).where(outbox.c.published_at.is_(None))
_OLDEST = (
    select(outbox.c.created_at)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.position)
    .limit(1)
)
_LAST = select(func.max(outbox.c.position))
_ENDS = select(
    now().label("at"),
    func.coalesce(_LAST.scalar_subquery(), 0).label("recorded"),
    func.coalesce(select(log_head.c.position).scalar_subquery(), 0).label("published"),
    capped(_UNPUBLISHED).scalar_subquery().label("unpublished"),
    _OLDEST.scalar_subquery().label("oldest"),
)


async def read(database: Transactions, stream: Stream) -> Reading:
    """Take a reading: two statements, then a script per stream. Raises what the database raises."""
    async with database.read() as session:
        known = await ends(session)
        registry = await settled.registry(session)
    return replace(known, registry=registry, streams=await streams_of(stream, registry))


async def ends(session: AsyncSession) -> Reading:
    """Return how far the outbox and the log are: one statement over the ends of their indexes."""
    row = (await session.execute(_ENDS)).one()
    oldest = None if row.oldest is None else max(0.0, (row.at - row.oldest).total_seconds())
    return Reading(
        at=row.at,
        taken_s=time.monotonic(),
        recorded=row.recorded,
        published=row.published,
        unpublished=row.unpublished,
        oldest_unpublished_s=oldest,
    )


async def streams_of(
    stream: Stream, registry: Mapping[str, Collection[str]], *, most_pending: int = 0
) -> dict[str, StreamView] | None:
    """Return the streams that somebody is registered for, None when the engine does not answer."""
    contexts = sorted(set().union(*registry.values()))
    try:
        with anyio.fail_after(_PATIENCE_S):
            return {
                context: await stream_view(stream, context, most_pending=most_pending)
                for context in contexts
            }
    except (StreamError, TimeoutError):
        return None
