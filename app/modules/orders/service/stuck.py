"""Orders that wait for longer than they should: what an operator looks at first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, null, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import at, later
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.order import StuckOrder, Wait
from app.modules.orders.models.tables import fulfillments, orders


@dataclass(frozen=True, slots=True)
class StuckAfter:
    """Where a page begins: after the one that has waited since then and has this `id`."""

    since: datetime
    id: str


async def stuck(
    session: AsyncSession,
    *,
    older_than_s: float,
    waits: Collection[Wait] = tuple(Wait),
    after: StuckAfter | None = None,
    limit: int,
) -> Sequence[StuckOrder]:
    """Return up to limit orders that have waited for longer than that, the longest first."""
    past = later(-older_than_s)
    found: list[StuckOrder] = []
    for wait in waits:
        query, since, id_ = _waiting(wait)
        query = query.where(since <= past).order_by(since, id_).limit(limit)
        if after is not None:
            begin = at(after.since)
            query = query.where(or_(since > begin, and_(since == begin, id_ > after.id)))
        found += [
            StuckOrder(order_id=row[0], waits_for=wait, since=row[1], fulfillment_id=row[2])
            for row in await session.execute(query)
        ]
    return sorted(found, key=lambda one: (one.since, one.id))[:limit]


def _waiting(wait: Wait) -> tuple[Select[Any], ColumnElement[Any], ColumnElement[str]]:
    """Return the query of all that waits for this, since when, and what identifies it."""
    none = null().cast(String())
    match wait:
        case Wait.DECISION:
            since, id_ = orders.c.created_at, orders.c.id
            query = select(id_, since, none).where(orders.c.status == OrderStatus.PENDING)
        case Wait.EXPIRY:
            since, id_ = orders.c.expires_at, orders.c.id
            # Without the status: only what is held has an expires_at.
            query = select(id_, since, none)
        case Wait.ISSUE:
            since, id_ = fulfillments.c.updated_at, fulfillments.c.id
            is_open = text("status IN ('requested', 'cancelling')")
            query = select(fulfillments.c.order_id, since, id_).where(is_open)
    return query, since, id_
