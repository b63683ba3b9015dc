"""Placing orders: drafts in, pending orders and their events out."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Executable,
    FromClause,
    Integer,
    String,
    Uuid,
    insert,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.prepared import Rows, Write, prepared, write
from app.bus.sql import rows, upsert
from app.errors import AppError
from app.modules.orders.errors import (
    DuplicateReferenceError,
)
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import OrderDraft, PlacedOrder
from app.modules.orders.models.tables import order_lines, orders
from app.modules.orders.service.hold import expire_due
from app.modules.orders.service.price import Priced, catalogue_of, priced_draft
from app.modules.orders.service.transition import Entry, Step, noted

MOST_EXPIRED = 100
"""How many overdue holds the placing of orders clears away: a bound on what a request waits for."""


async def place(session: AsyncSession, drafts: Sequence[OrderDraft]) -> list[PlacedOrder]:
    """Write orders as pending, at the prices of this moment, and publish OrderCreated for each.

    Holds that are overdue expire first, so that inventory has their units back when it decides.
    All or none: the first draft that cannot be taken raises for the whole sequence:
    UnknownSkuError, InactiveProductError, CurrencyMixedError, PriceChangedError,
    TotalTooLargeError or DuplicateReferenceError. Two trips to the database, however many drafts
    and lines there are, one more when a draft has a reference, and four when a hold was overdue.
    """
    placed = []
    for outcome in await place_each(session, drafts):
        if isinstance(outcome, AppError):
            raise outcome
        placed.append(outcome)
    return placed


async def place_each(
    session: AsyncSession, drafts: Sequence[OrderDraft]
) -> list[PlacedOrder | AppError]:
    """Do as `place` does with every draft that can be taken, and return why of those that cannot.

    The outcomes are in the order of the drafts. As many trips as `place`, and one more when a
    reference was used before.
    """
    if not drafts:
        return []
    catalogue, overdue = await catalogue_of(
        session, {sku for draft in drafts for sku, _ in draft.lines}
    )
    if overdue:
        await expire_due(session, MOST_EXPIRED)
    outcomes: dict[str, PlacedOrder | AppError] = {}
    priced: list[Priced] = []
    for draft in drafts:
        try:
            priced.append(priced_draft(draft, catalogue))
        except AppError as refusal:
            outcomes[draft.id] = refusal
    created = await _write(session, priced) if priced else {}
    for order in priced:
        if order.draft.id in created:
            outcomes[order.draft.id] = _placed(order, created[order.draft.id])
    if len(outcomes) < len(drafts):
        twice = [order.draft for order in priced if order.draft.id not in created]
        outcomes |= await _duplicates(session, twice)
    return [outcomes[draft.id] for draft in drafts]


async def _write(session: AsyncSession, priced: Sequence[Priced]) -> dict[str, datetime]:
    """Write the orders, but those whose reference is used, and return their creation times.

    Without references each can be written, so all of it takes one trip.
    """
    new_orders = _new_orders_of(session, priced)
    if all(order.draft.reference is None for order in priced):
        return _times(await _publish(session, priced, new_orders))
    created = _times(await write(session, new_orders))
    taken = [order for order in priced if order.draft.id in created]
    if taken:
        await _publish(session, taken)
    return created


async def _publish(session: AsyncSession, taken: Sequence[Priced], *before: Write) -> Rows:
    """Write what belongs to orders, and their events; returns the rows of what goes before."""
    timeline = noted(session, [_entry(order.draft) for order in taken])
    beside = [*before, _new_lines_of(session, taken), timeline]
    return await publish(session, *(order.event for order in taken), beside=beside)


def _times(inserted: Rows) -> dict[str, datetime]:
    return {row[0]: row[1] for row in inserted}


def _placed(order: Priced, created_at: datetime) -> PlacedOrder:
    return PlacedOrder(
        id=order.draft.id,
        reference=order.draft.reference,
        customer_id=order.draft.customer_id,
        status=OrderStatus.PENDING,
        currency=order.currency,
        total_minor=order.total_minor,
        confirm=order.draft.confirm,
        hold_s=order.draft.held_s,
        version=1,
        created_at=created_at,
        updated_at=created_at,
        lines=order.lines,
    )


def _new_orders_of(session: AsyncSession, priced: Sequence[Priced]) -> Write:
    """Return what inserts the orders, but those whose reference is used."""
    # References are locked in one order, so that two batches that share some cannot deadlock.
    ordered = sorted(priced, key=lambda order: (order.draft.reference or "", order.draft.id))
    return _new_orders.on(
        session,
        {
            "id": [order.draft.id for order in ordered],
            "reference": [order.draft.reference for order in ordered],
            "customer_id": [order.draft.customer_id for order in ordered],
            "currency": [order.currency for order in ordered],
            "total_minor": [order.total_minor for order in ordered],
            "confirm": [order.draft.confirm.value for order in ordered],
            "hold_s": [order.draft.held_s for order in ordered],
            "created_event_id": [order.event.id for order in ordered],
        },
    )


@prepared(
    id=String(),
    reference=String(),
    customer_id=String(),
    currency=String(),
    total_minor=BigInteger(),
    confirm=String(),
    hold_s=Integer(),
    created_event_id=Uuid(),
)
def _new_orders(session: AsyncSession, given: FromClause) -> Executable:
    return (
        upsert(session, orders)
        .from_select(
            [*given.c.keys(), "status", "version"],
            select(given, literal(OrderStatus.PENDING, String()), literal(1, BigInteger())).where(
                given.c.id.is_not(None)  # without a WHERE, SQLite takes ON CONFLICT for a join's ON
            ),
        )
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(orders.c.id, orders.c.created_at)
    )


async def _duplicates(
    session: AsyncSession, drafts: Sequence[OrderDraft]
) -> dict[str, DuplicateReferenceError]:
    """Return, by the id of the draft, that the reference of each is another order's."""
    asked = rows(session, reference=(String(), [draft.reference for draft in drafts]))
    found = await session.execute(
        select(orders.c.reference, orders.c.id).join(asked, orders.c.reference == asked.c.reference)
    )
    existing: dict[str | None, str] = {row.reference: row.id for row in found}
    return {
        draft.id: DuplicateReferenceError(
            f"Order {existing[draft.reference]} already carries this reference.",
            existing_id=existing[draft.reference],
        )
        for draft in drafts
    }


def _new_lines_of(session: AsyncSession, priced: Sequence[Priced]) -> Write:
    lines = [
        (order.draft.id, line, position)
        for order in priced
        for position, line in enumerate(order.lines, start=1)
    ]
    return _new_lines.on(
        session,
        {
            "order_id": [order_id for order_id, _, _ in lines],
            "sku": [line.sku for _, line, _ in lines],
            "position": [position for _, _, position in lines],
            "title": [line.title for _, line, _ in lines],
            "quantity": [line.quantity for _, line, _ in lines],
            "unit_price_minor": [line.unit_price_minor for _, line, _ in lines],
        },
    )


@prepared(
    order_id=String(),
    sku=String(),
    position=Integer(),
    title=String(),
    quantity=BigInteger(),
    unit_price_minor=BigInteger(),
)
def _new_lines(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(order_lines).from_select(list(given.c.keys()), select(given))


def _entry(draft: OrderDraft) -> Entry:
    step = Step(order_id=draft.id, action=Action.PLACE, actor=draft.actor)
    return Entry(step, None, OrderStatus.PENDING, 1)
