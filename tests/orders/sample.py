"""Products, orders for them, and what became of those, for the tests of orders."""

from collections.abc import Sequence
from typing import Literal

import pytest
from sqlalchemy import select, text

from app.bus.event import Envelope, Event
from app.bus.sql import later
from app.bus.tables import outbox
from app.db import Database
from app.modules.inventory.events import (
    ReservedLine,
    StockIssued,
    StockIssueVoided,
    StockReserved,
)
from app.modules.orders import events
from app.modules.orders.handlers import apply_answers
from app.modules.orders.models.life import ConfirmMode, OrderStatus
from app.modules.orders.models.order import (
    HistoryEntry,
    OrderDraft,
    PlacedFulfillment,
    PlacedOrder,
)
from app.modules.orders.models.tables import orders
from app.modules.orders.service.command import Caller
from app.modules.orders.service.fulfill import (
    FulfillmentDraft,
    cancel_fulfillment,
    fulfill,
)
from app.modules.orders.service.hold import confirm
from app.modules.orders.service.place import place
from app.modules.orders.service.products import ProductDraft, put_product
from app.modules.orders.service.read import get_order, timeline

KINDS: dict[str, type[Event]] = {
    kind.type: kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}
CLERK = Caller(actor="clerk")

two_databases = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)
"""For what no version of PostgreSQL would do differently: one of them is enough."""


async def catalogue(database: Database, **prices: int) -> None:
    """Make products of these prices in pence."""
    async with database.write() as session:
        for sku, price in prices.items():
            draft = ProductDraft(sku=sku, title=sku.title(), unit_price_minor=price, currency="GBP")
            await put_product(session, draft)


def draft(*lines: tuple[str, int], reference: str | None = None) -> OrderDraft:
    """Return a draft of these lines."""
    return OrderDraft(customer_id="c-1", lines=lines, reference=reference)


def manual(*lines: tuple[str, int], hold_s: int = 900) -> OrderDraft:
    """Return a draft of an order that somebody must confirm."""
    return OrderDraft(customer_id="c-1", lines=lines, confirm=ConfirmMode.MANUAL, hold_s=hold_s)


async def placed(database: Database, *drafts: OrderDraft) -> list[PlacedOrder]:
    """Place these orders in one transaction."""
    async with database.write() as session:
        return await place(session, drafts)


async def stored(database: Database, order_id: str) -> PlacedOrder:
    """Return an order as the database has it."""
    async with database.read() as session:
        return await get_order(session, order_id)


async def published(database: Database) -> list[Event]:
    """Return what orders published, in the order it did."""
    async with database.read() as session:
        found = await session.execute(
            select(outbox.c.type, outbox.c.envelope)
            .where(outbox.c.context == "orders")
            .order_by(outbox.c.position)
        )
    return [Envelope.model_validate_json(text).open(KINDS[type_]) for type_, text in found]


def reserved(order_id: str) -> StockReserved:
    """Return inventory's word that the order's stock is held."""
    return StockReserved(
        order_id=order_id, lines=(ReservedLine(sku="MUG", location="default", quantity=1),)
    )


async def answer(database: Database, *answers: Event) -> None:
    """Have orders hear these answers of inventory, in one batch."""
    async with database.write() as session:
        await apply_answers(answers, session)


async def standing_at(database: Database, status: OrderStatus, *lines: tuple[str, int]) -> str:
    """Place an order that goes the way to this status, before any fulfillment, and return its id.

    Mugs, unless the lines say otherwise.
    """
    wanted = lines or (("MUG", 2),)
    [order] = await placed(database, manual(*wanted))
    if status is not OrderStatus.PENDING:
        await answer(database, reserved(order.id))
    if status is OrderStatus.CONFIRMED:
        async with database.write() as session:
            await confirm(session, order.id, CLERK)
    assert (await stored(database, order.id)).status is status
    return order.id


async def fulfilling(
    database: Database, order_id: str, *lines: tuple[str, int], tracking: str | None = None
) -> PlacedFulfillment:
    """Ask for these units to leave, or for all that are open."""
    async with database.write() as session:
        _, made = await fulfill(
            session, order_id, CLERK, FulfillmentDraft(lines=lines or None, tracking=tracking)
        )
    return made


async def unfulfilling(
    database: Database, order_id: str, fulfillment_id: str, caller: Caller = CLERK
) -> PlacedFulfillment:
    """Ask for a fulfillment to stay."""
    async with database.write() as session:
        _, fulfillment = await cancel_fulfillment(session, order_id, fulfillment_id, caller)
    return fulfillment


def issued(order_id: str, fulfillment_id: str) -> StockIssued:
    """Return inventory's word that a fulfillment has left."""
    lines = (ReservedLine(sku="MUG", location="default", quantity=1),)
    return StockIssued(order_id=order_id, fulfillment_id=fulfillment_id, lines=lines)


def voided(
    order_id: str, fulfillment_id: str, reason: Literal["cancelled", "not_held"] = "cancelled"
) -> StockIssueVoided:
    """Return inventory's word that a fulfillment will never leave."""
    return StockIssueVoided(order_id=order_id, fulfillment_id=fulfillment_id, reason=reason)


async def put_at(database: Database, order_id: str, status: OrderStatus) -> None:
    """Put an order's status there, as if it had gone the way."""
    async with database.write() as session:
        await session.execute(
            text("UPDATE orders SET status = :status WHERE id = :id"),
            {"status": status, "id": order_id},
        )


async def overdue(database: Database, *order_ids: str, by_s: int = 60) -> None:
    """Let the holds of these orders have ended so many seconds ago."""
    async with database.write() as session:
        for order_id in order_ids:
            await session.execute(
                orders.update().where(orders.c.id == order_id).values(expires_at=later(-by_s))
            )


async def history(database: Database, order_id: str) -> Sequence[HistoryEntry]:
    """Return what happened to an order."""
    async with database.read() as session:
        return await timeline(session, order_id)


async def check_history(database: Database, order_id: str) -> None:
    """Assert that the timeline leads without a gap from nothing to how the order stands."""
    order = await stored(database, order_id)
    entries = await history(database, order_id)
    assert [entry.version for entry in entries] == list(range(1, order.version + 1))
    assert [None, *(entry.to_status for entry in entries)] == [
        *(entry.from_status for entry in entries),
        order.status,
    ]
