"""Whether what is stored agrees with itself: the invariants, as pairs of a name and a query.

A query returns the ids that break its invariant, so no row is the good answer. It runs on a live
database: all in one snapshot, and a suspect counts only when a second look still shows it.
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

OFFENDERS_SHOWN = 20
SECOND_LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must always hold, and the query for whatever breaks it."""

    name: str
    query: str


INVARIANTS = (
    Invariant(
        "counters equal the ledger",
        """
        SELECT sku || ' at ' || location FROM (
            SELECT sku, location, on_hand, reserved, 0 AS d_on_hand, 0 AS d_reserved
              FROM stock_levels
            UNION ALL
            SELECT sku, location, 0, 0, d_on_hand, d_reserved FROM stock_movements
        ) AS both_sides
        GROUP BY sku, location
        HAVING SUM(on_hand) <> SUM(d_on_hand) OR SUM(reserved) <> SUM(d_reserved)
        """,
    ),
    Invariant(
        "0 <= reserved <= on hand",
        """
        SELECT sku || ' at ' || location FROM stock_levels
        WHERE reserved < 0 OR on_hand < 0 OR reserved > on_hand
        """,
    ),
    Invariant(
        "reserved equals the reservations held",
        """
        SELECT sku || ' at ' || location FROM (
            SELECT sku, location, reserved, 0 AS held FROM stock_levels
            UNION ALL
            SELECT lines.sku, lines.location, 0, lines.quantity
              FROM reservation_lines AS lines
              JOIN reservations ON reservations.order_id = lines.order_id
             WHERE reservations.state = 'held'
        ) AS both_sides
        GROUP BY sku, location
        HAVING SUM(reserved) <> SUM(held)
        """,
    ),
    Invariant(
        "a confirmed order holds exactly what it ordered",
        """
        SELECT order_id FROM (
            SELECT order_lines.order_id, order_lines.sku, order_lines.quantity AS ordered, 0 AS held
              FROM order_lines JOIN orders ON orders.id = order_lines.order_id
             WHERE orders.status = 'confirmed'
            UNION ALL
            SELECT lines.order_id, lines.sku, 0, lines.quantity
              FROM reservation_lines AS lines
              JOIN reservations ON reservations.order_id = lines.order_id
              JOIN orders ON orders.id = lines.order_id
             WHERE orders.status = 'confirmed' AND reservations.state = 'held'
        ) AS both_sides
        GROUP BY order_id, sku
        HAVING SUM(ordered) <> SUM(held)
        """,
    ),
    Invariant(
        "a rejected order holds nothing, and nothing is held for an order that is not there",
        """
        SELECT reservations.order_id
          FROM reservations LEFT JOIN orders ON orders.id = reservations.order_id
         WHERE reservations.state = 'held'
           AND (orders.id IS NULL OR orders.status NOT IN ('pending', 'confirmed'))
        """,
    ),
    Invariant(
        "no event was applied twice",
        """
        SELECT order_id || ' ' || sku FROM stock_movements
         WHERE kind = 'reserve' GROUP BY order_id, sku, location HAVING COUNT(*) > 1
        UNION ALL
        SELECT subject FROM outbox
         WHERE type IN ('orders.order_created.v1', 'orders.order_confirmed.v1',
                        'orders.order_rejected.v1', 'inventory.stock_reserved.v1',
                        'inventory.stock_rejected.v1')
         GROUP BY type, subject HAVING COUNT(*) > 1
        """,
    ),
    Invariant(
        "every order said that it was created, and how it was settled",
        """
        SELECT orders.id FROM orders
         WHERE orders.id >= (SELECT MIN(subject) FROM outbox
                              WHERE type = 'orders.order_created.v1')
           AND (NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.subject = orders.id
                               AND outbox.type = 'orders.order_created.v1')
            OR (orders.status = 'confirmed' AND NOT EXISTS
                   (SELECT 1 FROM outbox WHERE outbox.subject = orders.id
                       AND outbox.type = 'orders.order_confirmed.v1'))
            OR (orders.status = 'rejected' AND NOT EXISTS
                   (SELECT 1 FROM outbox WHERE outbox.subject = orders.id
                       AND outbox.type = 'orders.order_rejected.v1')))
        """,
    ),
    Invariant(
        "an order's total is the sum of its lines",
        """
        SELECT orders.id FROM orders JOIN order_lines ON order_lines.order_id = orders.id
        GROUP BY orders.id, orders.total_minor
        HAVING orders.total_minor <> SUM(order_lines.quantity * order_lines.unit_price_minor)
        """,
    ),
    Invariant(
        "a published event has its place in the log, and no other has",
        """
        SELECT CAST(event_id AS VARCHAR(36)) FROM outbox
         WHERE (published_at IS NULL) <> (log_position IS NULL)
            OR (published_at IS NULL) <> (stream_id IS NULL)
            OR log_position > (SELECT position FROM log_head)
        """,
    ),
    Invariant(
        "a delivery is settled or owed, never both",
        """
        SELECT delivery.subscriber || ' ' || CAST(delivery.event_id AS VARCHAR(36))
          FROM delivery JOIN inbox ON inbox.subscriber = delivery.subscriber
                                  AND inbox.event_id = delivery.event_id
         WHERE delivery.state = 'dead' AND delivery.reason <> 'replay'
        """,
    ),
    Invariant(
        "every inbox row belongs to an event of ours",
        """
        SELECT inbox.subscriber || ' ' || CAST(inbox.event_id AS VARCHAR(36))
          FROM inbox LEFT JOIN outbox ON outbox.event_id = inbox.event_id
                     LEFT JOIN pruned ON pruned.event_id = inbox.event_id
         WHERE outbox.event_id IS NULL AND pruned.event_id IS NULL
        """,
    ),
)

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
