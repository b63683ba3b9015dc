"""Stock, what orders ask of it, and a look at the books, for inventory's tests."""

import os
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select

from app.bus.event import Envelope, Event
from app.bus.tables import outbox
from app.db import Database
from app.modules.inventory import events
from app.modules.inventory.events import StockRejected, StockReserved
from app.modules.inventory.models.drafts import ReceiptDraft
from app.modules.inventory.models.tables import (
    DEFAULT_LOCATION,
    Reservation,
    ReservationLine,
    ReservationState,
    StockLevel,
    StockMovement,
)
from app.modules.inventory.service import decide as deciding
from app.modules.inventory.service.drift import check_drift
from app.modules.inventory.service.items import ItemDraft, put_item
from app.modules.inventory.service.locations import LocationDraft, put_location
from app.modules.inventory.service.receive import receive
from app.modules.inventory.service.steps import (
    Commit,
    Issue,
    Release,
    Reserve,
    Step,
    VoidIssue,
)
from app.modules.orders.events import (
    FulfillmentCancelRequested,
    FulfillmentRequested,
    HoldConfirmed,
    OrderCancelled,
    OrderCreated,
    OrderedLine,
    OrderExpired,
)

LONG = bool(os.environ.get("TEST_LONG"))
"""Set TEST_LONG=1 for storms and searches of full length."""

SAID: dict[str, type[Event]] = {
    kind.type: kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}


def request(order_id: str, **lines: int) -> Reserve:
    """Return a request for these units, to be held, caused by an event of its own."""
    cause = OrderCreated(order_id=order_id, lines=_ordered(lines), confirm="manual")
    return Reserve(order_id=order_id, lines=list(lines.items()), cause=cause)


def auto(order_id: str, **lines: int) -> Reserve:
    """Return a request for these units, to be promised at once."""
    cause = OrderCreated(order_id=order_id, lines=_ordered(lines))
    return Reserve(order_id=order_id, lines=list(lines.items()), commit=True, cause=cause)


def confirmed(order_id: str) -> Commit:
    """Return that somebody confirmed an order."""
    return Commit(order_id=order_id, cause=HoldConfirmed(order_id=order_id))


def cancelled(order_id: str) -> Release:
    """Return that an order was cancelled."""
    cause = OrderCancelled(order_id=order_id, reason="changed my mind")
    return Release(order_id=order_id, reason="cancelled", cause=cause)


def expired(order_id: str) -> Release:
    """Return that nobody confirmed an order in time."""
    return Release(order_id=order_id, reason="expired", cause=OrderExpired(order_id=order_id))


def shipment(order_id: str, fulfillment_id: str, **lines: int) -> Issue:
    """Return that these units of an order shall leave."""
    cause = FulfillmentRequested(
        order_id=order_id, fulfillment_id=fulfillment_id, lines=_ordered(lines)
    )
    return Issue(
        order_id=order_id, fulfillment_id=fulfillment_id, lines=list(lines.items()), cause=cause
    )


def stopped(order_id: str, fulfillment_id: str) -> VoidIssue:
    """Return that a shipment shall not leave."""
    cause = FulfillmentCancelRequested(order_id=order_id, fulfillment_id=fulfillment_id)
    return VoidIssue(order_id=order_id, fulfillment_id=fulfillment_id, cause=cause)


def _ordered(lines: dict[str, int]) -> tuple[OrderedLine, ...]:
    return tuple(OrderedLine(sku=sku, quantity=quantity) for sku, quantity in lines.items())


async def stock(database: Database, **units: int) -> None:
    """Receive these units."""
    await stock_at(database, DEFAULT_LOCATION, **units)


async def stock_at(database: Database, location: str, /, **units: int) -> None:
    """Receive these units at a location."""
    async with database.write() as session:
        await receive(session, [ReceiptDraft(lines=list(units.items()), location=location)])


async def locate(database: Database, **priorities: int) -> None:
    """Have active locations of these priorities."""
    async with database.write() as session:
        for id_, priority in priorities.items():
            await put_location(session, LocationDraft(id=id_, priority=priority))


async def switch(database: Database, location: str, *, active: bool) -> None:
    """Have a location offer its stock, or not."""
    async with database.write() as session:
        await put_location(session, LocationDraft(id=location, active=active))


async def keep(database: Database, sku: str, *, safety: int = 0, low: int = 0) -> None:
    """Keep a SKU with these marks."""
    async with database.write() as session:
        await put_item(session, ItemDraft(sku=sku, safety_stock=safety, low_stock_at=low))


async def decide(database: Database, *steps: Step) -> None:
    """Decide these steps in one transaction."""
    async with database.write() as session:
        await deciding.decide(session, steps)


async def said(database: Database, *kinds: type[Event]) -> list[Event]:
    """Return what inventory published, or those kinds of it, in the order it did."""
    async with database.read() as session:
        found = await session.execute(
            select(outbox.c.type, outbox.c.envelope)
            .where(outbox.c.context == "inventory")
            .order_by(outbox.c.position)
        )
    opened = [Envelope.model_validate_json(text).open(SAID[type_]) for type_, text in found]
    return [one for one in opened if not kinds or isinstance(one, kinds)]


async def answers(database: Database) -> list[StockReserved | StockRejected]:
    """Return what inventory answered to orders, in the order it did."""
    found = await said(database)
    return [one for one in found if isinstance(one, StockReserved | StockRejected)]


async def reserved_orders(database: Database) -> list[str]:
    """Return the orders whose stock was held, in the order they were answered."""
    return [one.order_id for one in await answers(database) if isinstance(one, StockReserved)]


async def state(database: Database, order_id: str) -> ReservationState | None:
    """Return what became of an order's reservation."""
    async with database.read() as session:
        found = await session.get(Reservation, order_id)
    return ReservationState(found.state) if found else None


async def levels(database: Database) -> dict[str, tuple[int, int]]:
    """Return (on hand, reserved) by SKU, over all locations."""
    by_sku: dict[str, tuple[int, int]] = {}
    for (sku, _), (on_hand, reserved, _) in (await counters(database)).items():
        before = by_sku.get(sku, (0, 0))
        by_sku[sku] = (before[0] + on_hand, before[1] + reserved)
    return by_sku


async def counters(database: Database) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return (on hand, reserved, committed) by SKU and location."""
    async with database.read() as session:
        found = (await session.scalars(select(StockLevel))).all()
    return {(row.sku, row.location): (row.on_hand, row.reserved, row.committed) for row in found}


async def movements(database: Database) -> Sequence[StockMovement]:
    """Return the ledger, oldest first."""
    async with database.read() as session:
        return (await session.scalars(select(StockMovement).order_by(StockMovement.id))).all()


async def check_books(database: Database) -> None:
    """Assert that nothing is oversold, and that counters, ledger and reservations agree."""
    found = await counters(database)
    replayed: dict[tuple[str, str], tuple[int, int, int]] = dict.fromkeys(found, (0, 0, 0))
    for row in await movements(database):
        key = (row.sku, row.location)
        on_hand, reserved, committed = replayed[key]
        after = (on_hand + row.d_on_hand, reserved + row.d_reserved, committed + row.d_committed)
        assert after == (row.on_hand_after, row.reserved_after, row.committed_after)
        assert 0 <= after[2] <= after[1] <= after[0]
        replayed[key] = after
    assert found == replayed
    async with database.read() as session:
        held = await session.execute(
            select(ReservationLine, Reservation.state).join(
                Reservation, Reservation.order_id == ReservationLine.order_id
            )
        )
        spoken_for: Counter[tuple[str, str]] = Counter()
        promised: Counter[tuple[str, str]] = Counter()
        for line, state_ in held:
            left = line.quantity - line.issued
            if state_ in {ReservationState.HELD, ReservationState.COMMITTED}:
                spoken_for[line.sku, line.location] += left
            if state_ == ReservationState.COMMITTED:
                promised[line.sku, line.location] += left
        assert (await check_drift(session)).drifts == []
    for key, (_, reserved, committed) in found.items():
        assert (reserved, committed) == (spoken_for[key], promised[key])
