"""Money on the wire: exact, both ways, in every currency."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st
from iso4217 import Currency
from pydantic import ValidationError

from app.modules.orders.models.life import ConfirmMode, FulfillmentStatus, OrderStatus
from app.modules.orders.models.money import LARGEST, exponent
from app.modules.orders.models.order import (
    ListedOrder,
    OrderHead,
    PlacedFulfillment,
    PlacedLine,
    PlacedOrder,
)
from app.modules.orders.schemas.orders import OrderSummary, OrderView
from app.modules.orders.schemas.products import Money

CURRENCIES = sorted(one.value for one in Currency if exponent(one.value) is not None)


@given(st.integers(0, LARGEST), st.sampled_from(CURRENCIES))
def test_an_amount_survives_the_round_trip(minor: int, currency: str) -> None:
    written = Money.of(minor, currency)

    read = Money.model_validate_json(written.model_dump_json())

    assert read == written
    assert read.minor == minor


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (850, "GBP", "8.50"),
        (5, "GBP", "0.05"),
        (0, "GBP", "0.00"),
        (850, "JPY", "850"),
        (0, "JPY", "0"),
        (1, "KWD", "0.001"),
        (12345, "CLF", "1.2345"),
    ],
)
def test_an_amount_has_all_the_decimals_of_its_currency(
    minor: int, currency: str, amount: str
) -> None:
    assert Money.of(minor, currency).amount == amount


@pytest.mark.parametrize(("amount", "minor"), [("4", 400), ("4.2", 420), ("004.25", 425)])
def test_fewer_decimals_are_understood(amount: str, minor: int) -> None:
    assert Money(amount=amount, currency="GBP").minor == minor


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("4.255", "GBP", "amount_precision"),
        ("4.250", "GBP", "amount_precision"),
        ("100.5", "JPY", "amount_precision"),
        ("92233720368547758.08", "GBP", "amount_too_large"),
        ("9999999999999999999", "JPY", "amount_too_large"),
        ("-1", "GBP", "amount_form"),
        ("+1", "GBP", "amount_form"),
        ("1e3", "GBP", "amount_form"),
        ("1,50", "GBP", "amount_form"),
        (".5", "GBP", "amount_form"),
        ("5.", "GBP", "amount_form"),
        (" 5", "GBP", "amount_form"),
        ("5\n", "GBP", "amount_form"),
        ("\u0665", "GBP", "amount_form"),
        ("NaN", "GBP", "amount_form"),
        ("", "GBP", "amount_form"),
        ("1", "gbp", "unknown_currency"),
        ("1", "ABC", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
        ("1", "XXX", "unknown_currency"),
        ("1", "GB", "string_too_short"),
        ("1" * 25, "GBP", "string_too_long"),
        (4.25, "GBP", "string_type"),
        (4, "GBP", "string_type"),
    ],
)
def test_what_is_not_an_exact_amount_is_refused(amount: object, currency: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Money.model_validate({"amount": amount, "currency": currency})

    assert [error["type"] for error in refused.value.errors()] == [code]


def test_the_largest_amount_is_what_the_database_keeps() -> None:
    assert Money(amount="92233720368547758.07", currency="GBP").minor == LARGEST


LATER = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ORDER = PlacedOrder(
    id="ord_1",
    reference="WEB-1001",
    customer_id="c-1",
    status=OrderStatus.RESERVED,
    currency="JPY",
    total_minor=1250,
    confirm=ConfirmMode.MANUAL,
    hold_s=900,
    reserved_at=LATER,
    expires_at=LATER,
    cancel_reason="no more",
    version=3,
    created_at=LATER,
    updated_at=LATER,
    lines=(
        PlacedLine(sku="MUG", title="Mug", quantity=2, unit_price_minor=425, fulfilling=1),
        PlacedLine(sku="CUP", title="Cup", quantity=1, unit_price_minor=400, available=0),
    ),
    fulfillments=(
        PlacedFulfillment(
            id="ful_1",
            order_id="ord_1",
            status=FulfillmentStatus.REQUESTED,
            tracking=None,
            lines={"MUG": 1},
            created_at=LATER,
            updated_at=LATER,
        ),
    ),
)
LISTED = ListedOrder(
    **{part.name: getattr(ORDER, part.name) for part in fields(OrderHead)},
    open_units=1,
    moving_units=0,
)


@pytest.mark.parametrize("view", [OrderView.of(ORDER), OrderSummary.of(LISTED)])
def test_what_is_shown_unchecked_would_pass_every_check(view: OrderView | OrderSummary) -> None:
    checked = type(view).model_validate(view.model_dump())

    assert checked == view
    assert checked.model_fields_set == view.model_fields_set == set(type(view).model_fields)
    assert checked.model_dump_json() == view.model_dump_json()


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, status=OrderStatus.PENDING, lines=ORDER.lines[:1], fulfillments=()),
        replace(ORDER, currency="GBP", reference=None, hold_s=None, expires_at=None),
        replace(ORDER, customer_id='Bär "\u2028\\', cancel_reason="</script>\U0001f600"),
        replace(ORDER, created_at=LATER.replace(microsecond=120), total_minor=LARGEST),
    ],
)
def test_an_orders_json_is_that_of_its_view(order: PlacedOrder) -> None:
    assert OrderView.json_of(order) == OrderView.of(order).model_dump_json(by_alias=True)
