"""Placing orders: drafts in, pending orders and their events out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

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
from app.bus.sql import prepared, rows, upsert
from app.errors import AppError
from app.modules.orders.errors import (
    CurrencyMixedError,
    DuplicateReferenceError,
    InactiveProductError,
    PriceChangedError,
    TotalTooLargeError,
    UnknownSkuError,
)
from app.modules.orders.events import OrderCreated, OrderedLine
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.money import LARGEST, decimal
from app.modules.orders.models.order import OrderDraft, PlacedLine, PlacedOrder
from app.modules.orders.models.tables import Product, order_lines, orders
from app.modules.orders.service.hold import expire_due
from app.modules.orders.service.transition import Entry, Step, note

MOST_EXPIRED = 100
"""How many overdue holds the placing of orders clears away: a bound on what a request waits for."""

_Catalogue: TypeAlias = Mapping[str, tuple[str, int, str, bool]]
"""Title, unit price in minor units, currency and active, by SKU."""


@dataclass(frozen=True, slots=True)
class _Priced:
    """A draft at the prices of this moment."""

    draft: OrderDraft
    currency: str
    lines: tuple[PlacedLine, ...]
    event: OrderCreated

    @property
    def total_minor(self) -> int:
        return sum(line.total_minor for line in self.lines)


async def place(session: AsyncSession, drafts: Sequence[OrderDraft]) -> list[PlacedOrder]:
    """Write orders as pending, at the prices of this moment, and publish OrderCreated for each.

    Holds that are overdue expire first, so that inventory has their units back when it decides.
    All or none: the first draft that cannot be taken raises for the whole sequence:
    UnknownSkuError, InactiveProductError, CurrencyMixedError, PriceChangedError,
    TotalTooLargeError or DuplicateReferenceError. Six statements, however many drafts and lines
    there are, and four more when a hold was overdue.
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

    The outcomes are in the order of the drafts. As many statements as `place`, and one more when
    a reference was used before.
    """
    if not drafts:
        return []
    await expire_due(session, MOST_EXPIRED)
    catalogue = await _catalogue(session, {sku for draft in drafts for sku, _ in draft.lines})
    outcomes: dict[str, PlacedOrder | AppError] = {}
    priced: list[_Priced] = []
    for draft in drafts:
        try:
            priced.append(_price(draft, catalogue))
        except AppError as refusal:
            outcomes[draft.id] = refusal
    created = await _insert_orders(session, priced) if priced else {}
    twice = [order.draft for order in priced if order.draft.id not in created]
    if twice:
        outcomes |= await _duplicates(session, twice)
    taken = [order for order in priced if order.draft.id in created]
    if taken:
        await _insert_lines(session, taken)
        await note(session, [_entry(order.draft) for order in taken])
        await publish(session, *(order.event for order in taken))
    outcomes |= {order.draft.id: _placed(order, created[order.draft.id]) for order in taken}
    return [outcomes[draft.id] for draft in drafts]


def _placed(order: _Priced, created_at: datetime) -> PlacedOrder:
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


async def _catalogue(session: AsyncSession, skus: Collection[str]) -> _Catalogue:
    found = await _products.run(session, {"sku": sorted(skus)})
    return {sku: (title, price, currency, active) for sku, title, price, currency, active in found}


@prepared(sku=String())
def _products(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return select(
        Product.sku, Product.title, Product.unit_price_minor, Product.currency, Product.active
    ).join(given, Product.sku == given.c.sku)


def _price(draft: OrderDraft, catalogue: _Catalogue) -> _Priced:
    """Return the draft with its prices; raises when it is not an order that can be taken."""
    quantities = draft.quantities
    if unknown := [sku for sku in quantities if sku not in catalogue]:
        detail = f"{len(unknown)} of the order's SKUs are not products: {_some(unknown)}."
        raise UnknownSkuError(detail, skus=unknown)
    if inactive := [sku for sku in quantities if not catalogue[sku][3]]:
        detail = f"{len(inactive)} of the order's products are not for sale: {_some(inactive)}."
        raise InactiveProductError(detail, skus=inactive)
    currencies = sorted({catalogue[sku][2] for sku in quantities})
    if len(currencies) > 1:
        detail = f"One order has one currency, and these products have {', '.join(currencies)}."
        raise CurrencyMixedError(detail, currencies=currencies)
    _check_prices(draft, catalogue)
    lines = tuple(
        PlacedLine(
            sku=sku,
            title=catalogue[sku][0],
            quantity=quantity,
            unit_price_minor=catalogue[sku][1],
        )
        for sku, quantity in quantities.items()
    )
    priced = _Priced(draft, currencies[0], lines, _created(draft))
    if priced.total_minor > LARGEST:
        raise TotalTooLargeError(f"The order's total is more than {LARGEST} minor units.")
    return priced


def _check_prices(draft: OrderDraft, catalogue: _Catalogue) -> None:
    """Raise when the customer expects other prices than there are."""
    changed = [
        {
            "sku": expected.sku,
            "expected": _wire(expected.unit_price_minor, expected.currency),
            "current": _wire(*catalogue[expected.sku][1:3]),
        }
        for expected in draft.expected
        if (expected.unit_price_minor, expected.currency) != catalogue[expected.sku][1:3]
    ]
    if changed:
        detail = f"{len(changed)} of the order's prices are not what it expects."
        raise PriceChangedError(detail, prices=changed)


def _wire(minor: int, currency: str) -> dict[str, str]:
    return {"amount": decimal(minor, currency), "currency": currency}


def _some(names: Sequence[str]) -> str:
    """Name the first few; the error's member lists them all."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")  # noqa: PLR2004 - a few


async def _insert_orders(session: AsyncSession, priced: Sequence[_Priced]) -> dict[str, datetime]:
    """Insert the orders, but those whose reference is used, and return their creation times."""
    # References are locked in one order, so that two batches that share some cannot deadlock.
    ordered = sorted(priced, key=lambda order: (order.draft.reference or "", order.draft.id))
    inserted = await _new_orders.run(
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
    return {row.id: row.created_at for row in inserted}


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


async def _insert_lines(session: AsyncSession, priced: Sequence[_Priced]) -> None:
    lines = [
        (order.draft.id, line, position)
        for order in priced
        for position, line in enumerate(order.lines, start=1)
    ]
    await _new_lines.run(
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


def _created(draft: OrderDraft) -> OrderCreated:
    lines = tuple(
        OrderedLine(sku=sku, quantity=quantity) for sku, quantity in draft.quantities.items()
    )
    event = OrderCreated(
        id=draft.event_id, order_id=draft.id, lines=lines, confirm=draft.confirm.value
    )
    return event if draft.context is None else event.within(draft.context)
