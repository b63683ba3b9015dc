"""Stock, requests for it, and a look at the books, for inventory's tests."""

from collections.abc import Sequence

from sqlalchemy import func, select

from app.bus.event import Envelope
from app.bus.tables import outbox
from app.db import Database
from app.modules.inventory.events import StockRejected, StockReserved
from app.modules.inventory.models import (
    ReceiptDraft,
    Reservation,
    ReservationLine,
    ReservationState,
    StockLevel,
    StockMovement,
)
from app.modules.inventory.service.receive import receive
from app.modules.inventory.service.reserve import Request, reserve
from app.modules.orders.events import OrderCreated, OrderedLine


def request(order_id: str, **lines: int) -> Request:
    """Return a request for these units, caused by an event of its own."""
    ordered = tuple(OrderedLine(sku=sku, quantity=quantity) for sku, quantity in lines.items())
    cause = OrderCreated(order_id=order_id, lines=ordered)
    return Request(order_id=order_id, lines=list(lines.items()), cause=cause)


async def stock(database: Database, **units: int) -> None:
    """Receive these units."""
    async with database.write() as session:
        await receive(session, [ReceiptDraft(lines=list(units.items()))])


async def decide(database: Database, *requests: Request) -> None:
    """Decide these requests in one transaction."""
    async with database.write() as session:
        await reserve(session, requests)


async def answers(database: Database) -> list[StockReserved | StockRejected]:
    """Return what inventory published, in the order it did."""
    kinds: dict[str, type[StockReserved | StockRejected]] = {
        kind.type: kind for kind in (StockReserved, StockRejected)
    }
    async with database.read() as session:
        found = await session.execute(
            select(outbox.c.type, outbox.c.envelope)
            .where(outbox.c.context == "inventory")
            .order_by(outbox.c.position)
        )
    return [Envelope.model_validate_json(text).open(kinds[type_]) for type_, text in found]


async def reserved_orders(database: Database) -> list[str]:
    """Return the orders whose stock was held, in the order they were answered."""
    return [one.order_id for one in await answers(database) if isinstance(one, StockReserved)]


async def levels(database: Database) -> dict[str, tuple[int, int]]:
    """Return (on hand, reserved) by SKU."""
    async with database.read() as session:
        found = await session.execute(
            select(StockLevel.sku, StockLevel.on_hand, StockLevel.reserved)
        )
    return {sku: (on_hand, reserved) for sku, on_hand, reserved in found}


async def movements(database: Database) -> Sequence[StockMovement]:
    """Return the ledger, oldest first."""
    async with database.read() as session:
        return (await session.scalars(select(StockMovement).order_by(StockMovement.id))).all()


async def check_books(database: Database) -> None:
    """Assert that nothing is oversold, and that counters, ledger and reservations agree."""
    counters = await levels(database)
    replayed: dict[str, tuple[int, int]] = {}
    for row in await movements(database):
        on_hand, reserved = replayed.get(row.sku, (0, 0))
        replayed[row.sku] = (on_hand + row.d_on_hand, reserved + row.d_reserved)
        assert replayed[row.sku] == (row.on_hand_after, row.reserved_after)
        assert row.reserved_after <= row.on_hand_after
    assert counters == replayed
    async with database.read() as session:
        held = await session.execute(
            select(ReservationLine.sku, func.sum(ReservationLine.quantity))
            .join(Reservation, Reservation.order_id == ReservationLine.order_id)
            .where(Reservation.state == ReservationState.HELD)
            .group_by(ReservationLine.sku)
        )
    spoken_for = {sku: int(units) for sku, units in held}
    assert {sku: reserved for sku, (_, reserved) in counters.items() if reserved} == spoken_for
