"""Placing orders: drafts in, pending orders and their events out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import BigInteger, Integer, String, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.sql import rows, upsert
from app.modules.orders.errors import (
    CurrencyMixedError,
    DuplicateReferenceError,
    InactiveProductError,
    TotalTooLargeError,
    UnknownSkuError,
)
from app.modules.orders.events import OrderCreated, OrderedLine
from app.modules.orders.models import (
    LARGEST,
    Order,
    OrderDraft,
    OrderStatus,
    PlacedLine,
    PlacedOrder,
    Product,
    order_lines,
    orders,
)

_Catalogue: TypeAlias = Mapping[str, tuple[str, int, str, bool]]
"""Title, unit price in minor units, currency and active, by SKU."""


@dataclass(frozen=True, slots=True)
class _Priced:
    """A draft at the prices of this moment."""

    draft: OrderDraft
    currency: str
    lines: tuple[PlacedLine, ...]

    @property
    def total_minor(self) -> int:
        return sum(line.total_minor for line in self.lines)


async def place(session: AsyncSession, drafts: Sequence[OrderDraft]) -> list[PlacedOrder]:
    """Write orders as pending, at the prices of this moment, and publish OrderCreated for each.

    All or none: the first draft that cannot be taken raises for the whole sequence:
    UnknownSkuError, InactiveProductError, CurrencyMixedError, TotalTooLargeError or
    DuplicateReferenceError. Four statements, however many drafts and lines there are.
    """
    if not drafts:
        return []
    catalogue = await _catalogue(session, {sku for draft in drafts for sku, _ in draft.lines})
    priced = [_price(draft, catalogue) for draft in drafts]
    created = await _insert_orders(session, priced)
    await _insert_lines(session, priced)
    await publish(session, *(_created(order) for order in priced))
    return [
        PlacedOrder(
            id=order.draft.id,
            reference=order.draft.reference,
            customer_id=order.draft.customer_id,
            status=OrderStatus.PENDING,
            currency=order.currency,
            total_minor=order.total_minor,
            version=1,
            created_at=created[order.draft.id],
            updated_at=created[order.draft.id],
            lines=order.lines,
        )
        for order in priced
    ]


async def _catalogue(session: AsyncSession, skus: Collection[str]) -> _Catalogue:
    asked = rows(session, sku=(String(), sorted(skus)))
    found = await session.execute(
        select(
            Product.sku, Product.title, Product.unit_price_minor, Product.currency, Product.active
        ).join(asked, Product.sku == asked.c.sku)
    )
    return {sku: (title, price, currency, active) for sku, title, price, currency, active in found}


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
    lines = tuple(
        PlacedLine(
            sku=sku,
            title=catalogue[sku][0],
            quantity=quantity,
            unit_price_minor=catalogue[sku][1],
        )
        for sku, quantity in quantities.items()
    )
    priced = _Priced(draft, currencies[0], lines)
    if priced.total_minor > LARGEST:
        raise TotalTooLargeError(f"The order's total is more than {LARGEST} minor units.")
    return priced


def _some(names: Sequence[str]) -> str:
    """Name the first few; the error's member lists them all."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")  # noqa: PLR2004 - a few


async def _insert_orders(session: AsyncSession, priced: Sequence[_Priced]) -> dict[str, datetime]:
    """Insert the orders and return their creation times by id."""
    # References are locked in one order, so that two batches that share some cannot deadlock.
    ordered = sorted(priced, key=lambda order: (order.draft.reference or "", order.draft.id))
    given = rows(
        session,
        id=(String(), [order.draft.id for order in ordered]),
        reference=(String(), [order.draft.reference for order in ordered]),
        customer_id=(String(), [order.draft.customer_id for order in ordered]),
        currency=(String(), [order.currency for order in ordered]),
        total_minor=(BigInteger(), [order.total_minor for order in ordered]),
    )
    inserted = await session.execute(
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
    created: dict[str, datetime] = {row.id: row.created_at for row in inserted}
    for order in priced:
        if order.draft.id not in created:
            await _raise_duplicate(session, order.draft.reference)
    return created


async def _raise_duplicate(session: AsyncSession, reference: str | None) -> None:
    existing = await session.scalar(select(Order.id).where(Order.reference == reference))
    raise DuplicateReferenceError(
        f"Order {existing} already carries this reference.", existing_id=existing
    )


async def _insert_lines(session: AsyncSession, priced: Sequence[_Priced]) -> None:
    lines = [
        (order.draft.id, position, line)
        for order in priced
        for position, line in enumerate(order.lines, start=1)
    ]
    given = rows(
        session,
        order_id=(String(), [order_id for order_id, _, _ in lines]),
        sku=(String(), [line.sku for _, _, line in lines]),
        position=(Integer(), [position for _, position, _ in lines]),
        title=(String(), [line.title for _, _, line in lines]),
        quantity=(BigInteger(), [line.quantity for _, _, line in lines]),
        unit_price_minor=(BigInteger(), [line.unit_price_minor for _, _, line in lines]),
    )
    await session.execute(insert(order_lines).from_select(given.c.keys(), select(given)))


def _created(order: _Priced) -> OrderCreated:
    lines = tuple(OrderedLine(sku=line.sku, quantity=line.quantity) for line in order.lines)
    return OrderCreated(order_id=order.draft.id, lines=lines)
