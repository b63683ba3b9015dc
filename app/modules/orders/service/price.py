"""Drafts at the prices of the moment, and why some are no orders that can be taken."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from sqlalchemy import Executable, FromClause, String, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.prepared import prepared
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


class Priced(NamedTuple):
    """A draft at the prices of this moment, and what it costs in minor units."""

    draft: OrderDraft
    currency: str
    lines: tuple[PlacedLine, ...]
    total_minor: int
    event: OrderCreated


async def catalogue_of(session: AsyncSession, skus: Collection[str]) -> tuple[Catalogue, bool]:
    """Return the products among skus, and whether a hold is overdue; False when there are none."""
    found = await _products.run(session, {"sku": sorted(skus)})
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
    lines, total_minor, inactive, currencies = [], 0, [], set()
    for sku, quantity in quantities.items():
        title, unit_price_minor, currency, active = catalogue[sku]
        if not active:
            inactive.append(sku)
        currencies.add(currency)
        total_minor += quantity * unit_price_minor
        lines.append(
            PlacedLine(sku=sku, title=title, quantity=quantity, unit_price_minor=unit_price_minor)
        )
    if inactive:
        detail = f"{len(inactive)} of the order's products are not for sale: {_some(inactive)}."
        raise InactiveProductError(detail, skus=inactive)
    if len(currencies) > 1:
        mixed = sorted(currencies)
        detail = f"One order has one currency, and these products have {', '.join(mixed)}."
        raise CurrencyMixedError(detail, currencies=mixed)
    if draft.expected:
        _check_prices(draft, catalogue)
    if total_minor > LARGEST:
        raise TotalTooLargeError(f"The order's total is more than {LARGEST} minor units.")
    event = _created(draft, quantities)
    return Priced(draft, currencies.pop(), tuple(lines), total_minor, event)


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


def _created(draft: OrderDraft, quantities: Mapping[str, int]) -> OrderCreated:
    lines = tuple([_ordered(sku, quantity) for sku, quantity in quantities.items()])
    event = OrderCreated(
        id=draft.event_id, order_id=draft.id, lines=lines, confirm=draft.confirm.value
    )
    return event if draft.context is None else event.within(draft.context)


# Orders ask for the same few units of the same SKUs, and a line never changes.
@lru_cache(maxsize=4096)
def _ordered(sku: str, quantity: int) -> OrderedLine:
    return OrderedLine(sku=sku, quantity=quantity)
