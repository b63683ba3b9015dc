"""Whether what is stored agrees with itself: every invariant, checked on a live database.

All in one snapshot, and a suspect counts only when a second look still shows it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import StreamError
from app.bus.group_state import order
from app.bus.stream import Stream
from app.db import Database
from app.invariants import INVARIANTS

OFFENDERS_SHOWN = 20
SECOND_LOOK_S = 2.0

DELIVERED = "every owed delivery is in the inbox, a delivery row, or on its way"

_OWED = """
    SELECT subscription.subscriber, CAST(outbox.event_id AS VARCHAR(36)) AS event_id,
           outbox.context, outbox.stream_id
      FROM outbox
      JOIN subscription ON subscription.event_type = outbox.type
      LEFT JOIN inbox ON inbox.subscriber = subscription.subscriber
                     AND inbox.event_id = outbox.event_id
      LEFT JOIN delivery ON delivery.subscriber = subscription.subscriber
                        AND delivery.event_id = outbox.event_id
     WHERE inbox.event_id IS NULL AND delivery.event_id IS NULL
       AND (outbox.log_position IS NULL OR outbox.log_position > subscription.since_log_position)
"""


@dataclass(slots=True)
class Report:
    """What a verification found: offending ids by invariant, and what is still on its way."""

    offenders: dict[str, list[str]] = field(default_factory=dict)
    in_transit: int = 0
    stream_asked: bool = True

    @property
    def violations(self) -> int:
        """How many offenders there are in all."""
        return sum(map(len, self.offenders.values()))


async def verify(
    database: Database, stream: Stream | None, *, second_look_s: float = SECOND_LOOK_S
) -> Report:
    """Check every invariant; with no stream to ask, what was published counts as in transit."""
    first = await _look(database, stream)
    if not first.violations:
        return first
    await anyio.sleep(second_look_s)
    second = await _look(database, stream)
    for name, offenders in second.offenders.items():
        before = set(first.offenders[name])
        second.offenders[name] = [id_ for id_ in offenders if id_ in before]
    return second


async def _look(database: Database, stream: Stream | None) -> Report:
    report = Report(stream_asked=stream is not None)
    async with database.snapshot() as session:
        for invariant in INVARIANTS:
            found = await session.scalars(text(invariant.query))
            report.offenders[invariant.name] = sorted(set(found))
        owed = await _owed(session)
    lost: list[str] = []
    for (subscriber, context), waiting in owed.items():
        published = {stream_id: event_id for event_id, stream_id in waiting if stream_id}
        missing = await _missing(stream, subscriber, context, published) if stream else []
        report.in_transit += len(waiting) - len(missing)
        lost += [f"{subscriber} {published[stream_id]}" for stream_id in missing]
    report.offenders[DELIVERED] = sorted(lost)
    return report


async def _owed(session: AsyncSession) -> dict[tuple[str, str], list[tuple[str, str | None]]]:
    """Return what has no inbox row yet: (event id, stream id) by subscriber and context."""
    owed: dict[tuple[str, str], list[tuple[str, str | None]]] = defaultdict(list)
    for subscriber, event_id, context, stream_id in await session.execute(text(_OWED)):
        owed[subscriber, context].append((event_id, stream_id))
    return owed


async def _missing(
    stream: Stream, subscriber: str, context: str, published: Mapping[str, str]
) -> list[str]:
    """Return the stream ids whose event is neither undelivered nor pending there.

    The stream is read after the database: what is handled in between shows as missing once, and
    no more at the second look.
    """
    try:
        state = await stream.group_state(context, subscriber)
    except StreamError:
        return list(published)
    stream_ids = list(published)
    present: dict[str, str] = {}
    for start in range(0, len(stream_ids), 1000):
        present |= await stream.present(context, stream_ids[start : start + 1000])
    return [
        id_
        for id_ in stream_ids
        if UUID(published[id_]).hex not in present.get(id_, "").replace("-", "")
        or (id_ not in state.pending_ids and order(id_) <= order(state.last_delivered_id))
    ]
