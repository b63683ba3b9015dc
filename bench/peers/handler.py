"""The same work behind every peer: take an event once, hold its stock, and say so in the outbox.

Per event by the ORM, async and sync, and per batch by Core. All-or-nothing per order, in one
transaction; a shortage rolls back and takes the rare road, so the common one needs no savepoint.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Update, bindparam, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from bench.orders import orders
from bench.peers.tables import Inbox, Outbox, Reservation, Stock

Created = dict[str, Any]
"""An order_created event: id, order_id and lines of sku and quantity."""


class ShortError(Exception):
    """A line cannot be served."""


def events(count: int) -> list[Created]:
    """Return new events, of the orders that every case places."""
    return [
        {"id": str(uuid4()), "order_id": str(uuid4()), "lines": order["lines"]}
        for order in orders(count)
    ]


async def reserve(sessions: async_sessionmaker[AsyncSession], event: Created) -> None:
    """Handle one event in one transaction, by the ORM."""
    try:
        async with sessions.begin() as session:
            if await session.scalar(_claim(event)) is None:
                return
            for line in event["lines"]:
                _require(await session.execute(_hold(line)))
            session.add_all(_held(event))
    except ShortError:
        async with sessions.begin() as session:
            if await session.scalar(_claim(event)) is not None:
                session.add(_news(event, "stock_rejected"))


def reserve_sync(sessions: sessionmaker[Session], event: Created) -> None:
    """Handle one event in one transaction, by the ORM of a worker without an event loop."""
    try:
        with sessions.begin() as session:
            if session.scalar(_claim(event)) is None:
                return
            for line in event["lines"]:
                _require(session.execute(_hold(line)))
            session.add_all(_held(event))
    except ShortError:
        with sessions.begin() as session:
            if session.scalar(_claim(event)) is not None:
                session.add(_news(event, "stock_rejected"))


def _claim(event: Created) -> Any:  # noqa: ANN401 - a statement that returns the id when it is new
    return (
        insert(Inbox)
        .values(event_id=UUID(event["id"]))
        .on_conflict_do_nothing()
        .returning(Inbox.event_id)
    )


def _hold(line: dict[str, Any]) -> Update:
    wanted = line["quantity"]
    return (
        update(Stock)
        .where(Stock.sku == line["sku"], Stock.on_hand - Stock.reserved >= wanted)
        .values(reserved=Stock.reserved + wanted)
        .execution_options(synchronize_session=False)
    )


def _require(held: Any) -> None:  # noqa: ANN401 - what both kinds of session return
    if not isinstance(held, CursorResult) or held.rowcount != 1:
        raise ShortError


def _held(event: Created) -> list[Reservation | Outbox]:
    order_id = UUID(event["order_id"])
    return [
        *(Reservation(order_id=order_id, **line) for line in event["lines"]),
        _news(event, "stock_reserved"),
    ]


def _news(event: Created, what: str) -> Outbox:
    payload = json.dumps({"order_id": event["order_id"], "cause": event["id"]})
    return Outbox(event_id=uuid4(), type=f"inventory.{what}", payload=payload)


async def reserve_batch(engine: AsyncEngine, batch: Sequence[Created]) -> None:
    """Handle many events in one transaction, by Core with many rows per statement.

    The stock is locked once, in the order of SKUs, and shared out in memory, first come first
    served.
    """
    by_id = {UUID(event["id"]): event for event in batch}
    async with engine.begin() as connection:
        claimed = await connection.scalars(_CLAIM, [{"event_id": each} for each in sorted(by_id)])
        # What was handled before is not ours to handle again.
        fresh = set(claimed)
        todo = [event for each, event in by_id.items() if each in fresh]
        skus = sorted({line["sku"] for event in todo for line in event["lines"]})
        found = await connection.execute(
            select(Stock.sku, Stock.on_hand - Stock.reserved)
            .where(Stock.sku.in_(skus))
            .order_by(Stock.sku)
            .with_for_update()
        )
        free = {sku: int(units) for sku, units in found}
        taken: Counter[str] = Counter()
        reservations, news = [], []
        for event in todo:
            lines = event["lines"]
            is_there = all(free.get(each["sku"], 0) >= each["quantity"] for each in lines)
            if is_there:
                for line in lines:
                    free[line["sku"]] -= line["quantity"]
                    taken[line["sku"]] += line["quantity"]
                    reservations.append({"order_id": UUID(event["order_id"]), **line})
            what = "stock_reserved" if is_there else "stock_rejected"
            payload = json.dumps({"order_id": event["order_id"], "cause": event["id"]})
            news.append({"event_id": uuid4(), "type": f"inventory.{what}", "payload": payload})
        if taken:
            await connection.execute(
                _TAKE, [{"the_sku": sku, "units": taken[sku]} for sku in sorted(taken)]
            )
            await connection.execute(_RESERVE, reservations)
        if news:
            await connection.execute(_TELL, news)


_CLAIM: Insert = (
    insert(Inbox.__table__).on_conflict_do_nothing().returning(Inbox.__table__.c.event_id)  # type: ignore[arg-type,assignment]  # a declared table is a Table
)
_TAKE = (
    update(Stock.__table__)  # type: ignore[arg-type]  # as above
    .where(Stock.__table__.c.sku == bindparam("the_sku"))
    .values(reserved=Stock.__table__.c.reserved + bindparam("units"))
)
_RESERVE = insert(Reservation.__table__)  # type: ignore[arg-type]  # as above
_TELL = insert(Outbox.__table__)  # type: ignore[arg-type]  # as above
