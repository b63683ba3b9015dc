"""Drafts at the prices of the moment, and why some are no orders that can be taken."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Executable, FromClause, String, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import prepared
from app.modules.orders.errors import (
    CurrencyMixedError,
    InactiveProductError,
    PriceChangedError,
    TotalTooLargeError,
    UnknownSkuError,
)
from app.modules.orders.events import OrderCreated, OrderedLine
from app.modules.orders.models.money import LARGEST, decimal
from app.modules.orders.models.order import OrderDraft, PlacedLine
from app.modules.orders.models.tables import Product
from app.modules.orders.service.hold import any_due

Catalogue: TypeAlias = Mapping[str, tuple[str, int, str, bool]]
"""Title, unit price in minor units, currency and active, by SKU."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A draft at the prices of this moment."""

    draft: OrderDraft
    currency: str
    lines: tuple[PlacedLine, ...]
    event: OrderCreated

    @property
    def total_minor(self) -> int:
        """What the order costs, in minor units."""
        return sum(line.total_minor for line in self.lines)


async def catalogue_of(session: AsyncSession, skus: Collection[str]) -> tuple[Catalogue, bool]:
    """Return the products among skus, and whether a hold is overdue; False when there are none."""
    found = (await _products.run(session, {"sku": sorted(skus)})).all()
    products = {
        sku: (title, price, currency, active) for sku, title, price, currency, active, _ in found
    }
    return products, bool(found and found[0][-1])


@prepared(sku=String())
def _products(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return select(
        Product.sku,
        Product.title,
        Product.unit_price_minor,
        Product.currency,
        Product.active,
        any_due().label("overdue"),
    ).join(given, Product.sku == given.c.sku)


def priced_draft(draft: OrderDraft, catalogue: Catalogue) -> Priced:
    """Return the draft with its prices.

    Raises UnknownSkuError, InactiveProductError, CurrencyMixedError, PriceChangedError or
    TotalTooLargeError when it is not an order that can be taken.
    """
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
    priced = Priced(draft, currencies[0], lines, _created(draft))
    if priced.total_minor > LARGEST:
        raise TotalTooLargeError(f"The order's total is more than {LARGEST} minor units.")
    return priced


def _check_prices(draft: OrderDraft, catalogue: Catalogue) -> None:
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


def _created(draft: OrderDraft) -> OrderCreated:
    lines = tuple(
        OrderedLine(sku=sku, quantity=quantity) for sku, quantity in draft.quantities.items()
    )
    event = OrderCreated(
        id=draft.event_id, order_id=draft.id, lines=lines, confirm=draft.confirm.value
    )
    return event if draft.context is None else event.within(draft.context)
