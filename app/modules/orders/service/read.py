"""Reading orders: one, a list of them, and what happened to one.

A customer_id given to any of these hides the orders of every other customer.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import at, rows
from app.modules.orders.errors import OrderNotFoundError
from app.modules.orders.models.life import Action, ConfirmMode, FulfillmentStatus, OrderStatus
from app.modules.orders.models.order import (
    HistoryEntry,
    ListedOrder,
    PlacedFulfillment,
    PlacedLine,
    PlacedOrder,
)
from app.modules.orders.models.tables import (
    fulfillment_lines,
    fulfillments,
    order_lines,
    order_timeline,
    orders,
)

_CLOCKS_APART = timedelta(days=1)
"""How far the clocks of a process and of the database may be apart, at the very most."""

_HEAD = (
    orders.c.id,
    orders.c.reference,
    orders.c.customer_id,
    orders.c.status,
    orders.c.currency,
    orders.c.total_minor,
    orders.c.confirm,
    orders.c.hold_s,
    orders.c.reserved_at,
    orders.c.expires_at,
    orders.c.cancel_reason,
    orders.c.version,
    orders.c.created_at,
    orders.c.updated_at,
)
# Before it is confirmed, and when it never was, an order has no fulfillment to look for.
_FULFILLING = {OrderStatus.CONFIRMED, OrderStatus.CANCELLED, OrderStatus.FULFILLED}


async def get_order(
    session: AsyncSession, order_id: str, *, customer_id: str | None = None
) -> PlacedOrder:
    """Return an order with its lines and fulfillments; raises OrderNotFoundError."""
    head = _head(await _one(session, select(*_HEAD), order_id, customer_id))
    lines = await session.execute(
        select(
            order_lines.c.sku,
            order_lines.c.title,
            order_lines.c.quantity,
            order_lines.c.unit_price_minor,
            order_lines.c.available,
            order_lines.c.fulfilling,
            order_lines.c.fulfilled,
        )
        .where(order_lines.c.order_id == order_id)
        .order_by(order_lines.c.position)
    )
    moved = await _fulfillments(session, order_id) if head["status"] in _FULFILLING else []
    return PlacedOrder(
        **head,
        lines=tuple(PlacedLine(**line) for line in lines.mappings()),
        fulfillments=tuple(moved),
    )


async def _one(
    session: AsyncSession, query: Select[Any], order_id: str, customer_id: str | None
) -> Mapping[str, Any]:
    """Run a query about one order; raises OrderNotFoundError when it is not this customer's."""
    query = query.where(orders.c.id == order_id)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    found = (await session.execute(query)).mappings().first()
    if found is None:
        raise OrderNotFoundError(f"There is no order {order_id}.")
    return dict(found)


def _head(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row of an order says, as the fields of an OrderHead."""
    return {
        **row,
        "status": OrderStatus(row["status"]),
        "confirm": ConfirmMode(row["confirm"]),
    }


async def _fulfillments(session: AsyncSession, order_id: str) -> list[PlacedFulfillment]:
    found = await session.execute(
        select(fulfillments, fulfillment_lines.c.sku, fulfillment_lines.c.quantity)
        .join(fulfillment_lines, fulfillment_lines.c.fulfillment_id == fulfillments.c.id)
        .join(
            order_lines,
            (order_lines.c.order_id == fulfillments.c.order_id)
            & (order_lines.c.sku == fulfillment_lines.c.sku),
        )
        .where(fulfillments.c.order_id == order_id)
        .order_by(fulfillments.c.id, order_lines.c.position)
    )
    lines: dict[str, dict[str, int]] = {}
    heads: dict[str, RowMapping] = {}
    for row in found.mappings():
        heads[row["id"]] = row
        lines.setdefault(row["id"], {})[row["sku"]] = row["quantity"]
    return [
        PlacedFulfillment(
            id=id_,
            order_id=order_id,
            status=FulfillmentStatus(head["status"]),
            tracking=head["tracking"],
            lines=lines[id_],
            created_at=head["created_at"],
            updated_at=head["updated_at"],
        )
        for id_, head in heads.items()
    ]


async def list_orders(  # noqa: PLR0913 - one keyword per filter
    session: AsyncSession,
    *,
    statuses: Collection[OrderStatus] = (),
    customer_id: str | None = None,
    reference: str | None = None,
    sku: str | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
    before: str | None = None,
    limit: int,
) -> Sequence[ListedOrder]:
    """Return up to limit orders, newest first, those older than the id in `before`.

    created_until is the first moment that is not part of it. No statuses mean any status. Times
    bound the ids as well, by a day more: without that, a list of an old day would read all orders
    since, and an index on the time would be one more write for each order.
    """
    is_open = order_lines.c.quantity - order_lines.c.fulfilling - order_lines.c.fulfilled
    page = select(*_HEAD, _of_lines(is_open), _of_lines(order_lines.c.fulfilling))
    ids = [orders.c.id]
    if sku is not None:
        # No order has a SKU twice, and an index has the lines of a SKU in the order of the list.
        having = order_lines.alias("having")
        page = page.join(having, having.c.order_id == orders.c.id).where(having.c.sku == sku)
        ids.insert(0, having.c.order_id)
    if statuses:
        page = page.where(orders.c.status.in_(sorted(statuses)))
    if customer_id is not None:
        page = page.where(orders.c.customer_id == customer_id)
    if reference is not None:
        page = page.where(orders.c.reference == reference)
    if created_from is not None:
        page = page.where(orders.c.created_at >= at(created_from))
        page = page.where(*(id_ >= _first_id(created_from - _CLOCKS_APART) for id_ in ids))
    if created_until is not None:
        page = page.where(orders.c.created_at < at(created_until))
        page = page.where(*(id_ < _first_id(created_until + _CLOCKS_APART) for id_ in ids))
    if before is not None:
        # Of both, because PostgreSQL does not conclude the one from the other.
        page = page.where(*(id_ < before for id_ in ids))
    found = await session.execute(page.order_by(ids[0].desc()).limit(limit))
    return [
        ListedOrder(
            **_head(dict(zip((column.key for column in _HEAD), row, strict=False))),
            open_units=int(row[-2]),
            moving_units=int(row[-1]),
        )
        for row in found
    ]


def _first_id(moment: datetime) -> str:
    """Return what no id is below that was made at the moment: a UUIDv7 begins with its time."""
    return f"ord_{int(moment.timestamp() * 1000):012x}"


def _of_lines(units: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum over the lines of the order at hand."""
    total = select(func.sum(units)).where(order_lines.c.order_id == orders.c.id)
    return total.correlate(orders).scalar_subquery()


async def versions(session: AsyncSession, order_ids: Collection[str]) -> dict[str, int]:
    """Return the versions of these orders by id, without those nobody knows. One statement."""
    asked = rows(session, order_id=(String(), sorted(order_ids)))
    found = await session.execute(
        select(orders.c.id, orders.c.version).join(asked, orders.c.id == asked.c.order_id)
    )
    return {row.id: row.version for row in found}


async def timeline(
    session: AsyncSession,
    order_id: str,
    *,
    after: int = 0,
    limit: int | None = None,
    customer_id: str | None = None,
) -> list[HistoryEntry]:
    """Return what happened to an order, oldest first, from the version after `after` on.

    At most limit entries, or all. Raises OrderNotFoundError.
    """
    await _one(session, select(orders.c.id), order_id, customer_id)
    # One more than asked for: the first entry's latency is counted from the one before.
    found = await session.execute(
        select(order_timeline)
        .where(order_timeline.c.order_id == order_id, order_timeline.c.version >= after)
        .order_by(order_timeline.c.version)
        .limit(None if limit is None else limit + bool(after))
    )
    entries: list[HistoryEntry] = []
    previous: datetime | None = None
    for row in found.mappings():
        if row["version"] > after:
            entries.append(_entry(row, previous))
        previous = row["at"]
    return entries


def _entry(row: RowMapping, previous: datetime | None) -> HistoryEntry:
    # A transaction that waited for this one may have begun, and read the clock, before it.
    waited = (
        None if previous is None else max(0, round((row["at"] - previous).total_seconds() * 1e3))
    )
    return HistoryEntry(
        version=row["version"],
        action=Action(row["action"]),
        from_status=row["from_status"] and OrderStatus(row["from_status"]),
        to_status=OrderStatus(row["to_status"]),
        actor=row["actor"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        detail=json.loads(row["detail"]),
        at=row["at"],
        latency_ms=waited,
    )
