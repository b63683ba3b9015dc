"""Placing orders: at the prices of the moment, all or none, in five statements."""

import json
from functools import partial

import pytest

from app.bus.event import Context, current_context
from app.bus.tables import outbox
from app.db import Database
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
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.money import LARGEST
from app.modules.orders.models.order import ExpectedPrice, OrderDraft
from app.modules.orders.service.place import place
from app.modules.orders.service.products import ProductDraft, put_product
from tests.orders.sample import catalogue, draft, placed, published, stored
from tests.transactions import at_once, counted, trips


async def test_an_order_is_stored_as_it_was_returned(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199)

    [order] = await placed(database, draft(("MUG", 2), ("CUP", 3), reference="WEB-1"))

    assert order == await stored(database, order.id)
    assert order.id.startswith("ord_")
    assert len(order.id) == 36
    assert order.status is OrderStatus.PENDING
    assert order.version == 1
    assert order.total_minor == 2 * 425 + 3 * 199
    assert [(line.sku, line.title, line.quantity) for line in order.lines] == [
        ("MUG", "Mug", 2),
        ("CUP", "Cup", 3),
    ]
    assert order.created_at.utcoffset() is not None


async def test_the_event_carries_units_and_neither_prices_nor_customers(
    database: Database,
) -> None:
    await catalogue(database, MUG=425)

    [order] = await placed(database, draft(("MUG", 2)))

    [event] = await published(database)
    assert isinstance(event, OrderCreated)
    assert event.order_id == event.subject == order.id
    assert event.lines == (OrderedLine(sku="MUG", quantity=2),)
    async with database.read() as session:
        text = str(await session.scalar(outbox.select().with_only_columns(outbox.c.envelope)))
    # Ids are random, and have been seen to hold any short number.
    assert set(json.loads(text)["data"]) == {"order_id", "lines", "confirm"}
    assert set(json.loads(text)["data"]["lines"][0]) == {"sku", "quantity"}


async def test_the_event_belongs_to_the_request(database: Database) -> None:
    await catalogue(database, MUG=425)
    token = current_context.set(Context(correlation_id="the-request"))

    await placed(database, draft(("MUG", 2)))
    current_context.reset(token)

    async with database.read() as session:
        found = await session.scalars(outbox.select().with_only_columns(outbox.c.correlation_id))
    assert found.all() == ["the-request"]


async def test_a_sku_that_comes_twice_is_one_line(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199)

    [order] = await placed(database, draft(("MUG", 2), ("CUP", 1), ("MUG", 3)))

    assert [(line.sku, line.quantity) for line in order.lines] == [("MUG", 5), ("CUP", 1)]
    [event] = await published(database)
    assert isinstance(event, OrderCreated)
    assert len(event.lines) == 2


async def test_a_price_and_a_title_stay_what_they_were_when_the_order_was_placed(
    database: Database,
) -> None:
    await catalogue(database, MUG=425)
    [order] = await placed(database, draft(("MUG", 2)))

    async with database.write() as session:
        dearer = ProductDraft(sku="MUG", title="Pot", unit_price_minor=999, currency="EUR")
        await put_product(session, dearer)

    assert await stored(database, order.id) == order


async def test_every_unknown_sku_is_named_and_nothing_is_written(database: Database) -> None:
    await catalogue(database, MUG=425)

    with pytest.raises(UnknownSkuError) as refused:
        await placed(database, draft(("MUG", 1)), draft(("NOPE-2", 1), ("MUG", 1), ("NOPE-1", 1)))

    assert refused.value.extra == {"skus": ["NOPE-2", "NOPE-1"]}
    assert await published(database) == []


async def test_an_inactive_product_cannot_be_ordered(database: Database) -> None:
    async with database.write() as session:
        gone = ProductDraft(
            sku="OLD", title="Old", unit_price_minor=1, currency="GBP", active=False
        )
        await put_product(session, gone)

    with pytest.raises(InactiveProductError) as refused:
        await placed(database, draft(("OLD", 1)))

    assert refused.value.extra == {"skus": ["OLD"]}


async def test_an_order_has_one_currency(database: Database) -> None:
    await catalogue(database, MUG=425)
    async with database.write() as session:
        dollars = ProductDraft(sku="HAT", title="Hat", unit_price_minor=1, currency="USD")
        await put_product(session, dollars)

    with pytest.raises(CurrencyMixedError) as refused:
        await placed(database, draft(("MUG", 1), ("HAT", 1)))

    assert refused.value.extra == {"currencies": ["GBP", "USD"]}


async def test_a_total_is_at_most_what_the_database_can_count(database: Database) -> None:
    await catalogue(database, DEAR=LARGEST, CHEAP=1)

    [order] = await placed(database, draft(("DEAR", 1)))
    with pytest.raises(TotalTooLargeError):
        await placed(database, draft(("DEAR", 1), ("CHEAP", 1)))

    assert (await stored(database, order.id)).total_minor == LARGEST


async def test_a_free_product_can_be_ordered(database: Database) -> None:
    await catalogue(database, GIFT=0)

    [order] = await placed(database, draft(("GIFT", 1)))

    assert order.total_minor == 0


async def test_a_reference_is_used_once(database: Database) -> None:
    await catalogue(database, MUG=425)
    [first] = await placed(database, draft(("MUG", 1), reference="WEB-1"))

    with pytest.raises(DuplicateReferenceError) as refused:
        await placed(database, draft(("MUG", 1)), draft(("MUG", 1), reference="WEB-1"))

    assert refused.value.extra == {"existing_id": first.id}
    assert len(await published(database)) == 1


async def test_the_same_references_from_many_at_once_are_one_order_each(database: Database) -> None:
    await catalogue(database, MUG=425)
    refused: list[str] = []

    async def try_it(*references: str) -> None:
        try:
            await placed(database, *(draft(("MUG", 1), reference=one) for one in references))
        except AppError as error:
            refused.append(error.code)

    names = [f"WEB-{number:02}" for number in range(30)]
    await at_once(
        database,
        *(partial(try_it, *names) for _ in range(8)),
        *(partial(try_it, *names[::-1]) for _ in range(8)),
    )

    assert refused == ["duplicate_reference"] * 15
    assert len(await published(database)) == 30


async def test_the_same_draft_is_the_same_order(database: Database) -> None:
    await catalogue(database, MUG=425)
    wanted = draft(("MUG", 1))

    with pytest.raises(ZeroDivisionError):
        await _place_and_fail(database, wanted)
    [order] = await placed(database, wanted)

    assert order.id == wanted.id
    assert [event.id for event in await published(database)] == [wanted.event_id]


async def _place_and_fail(database: Database, wanted: OrderDraft) -> None:
    async with database.write() as session:
        await place(session, [wanted])
        _ = 1 // 0


async def test_a_batch_costs_as_many_statements_as_one_order(database: Database) -> None:
    products = {f"SKU-{number:04}": number for number in range(100)}
    await catalogue(database, **products)
    lines = [(sku, 1) for sku in products]

    with counted(database) as one:
        await placed(database, draft(lines[1]))
    with counted(database) as many:
        orders = await placed(database, *(draft(*lines) for _ in range(400)))

    assert len([text for text in one if not text.startswith("BEGIN")]) == 5
    assert len(many) == len(one)
    assert await stored(database, orders[-1].id) == orders[-1]


async def test_an_order_takes_two_trips_to_the_database(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199)

    async with database.write() as session, trips(session) as made:
        orders = await place(session, [draft(("MUG", 1), ("CUP", 2)), draft(("CUP", 1))])

    # Products; and orders, their lines, timeline and events together.
    assert len(made) == 2
    assert [await stored(database, order.id) for order in orders] == orders
    assert len(await published(database)) == 2


async def test_a_reference_costs_a_trip_more_because_it_may_be_used(database: Database) -> None:
    await catalogue(database, MUG=425)
    named = [draft(("MUG", 1), reference=name) for name in ("A", "B")]

    async with database.write() as session, trips(session) as made:
        orders = await place(session, [*named, draft(("MUG", 1))])

    assert len(made) == 3
    assert [await stored(database, order.id) for order in orders] == orders


async def test_no_drafts_are_no_work(database: Database) -> None:
    assert await placed(database) == []


async def test_a_price_that_the_customer_does_not_expect_is_refused(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199, YEN=7)
    expected = [
        ExpectedPrice(sku="MUG", unit_price_minor=425, currency="GBP"),
        ExpectedPrice(sku="CUP", unit_price_minor=200, currency="GBP"),
        ExpectedPrice(sku="YEN", unit_price_minor=7, currency="JPY"),
    ]
    lines = [("MUG", 1), ("CUP", 1), ("YEN", 1)]

    with pytest.raises(PriceChangedError) as refused:
        await placed(database, OrderDraft(customer_id="c-1", lines=lines, expected=expected))
    [order] = await placed(
        database, OrderDraft(customer_id="c-1", lines=lines, expected=expected[:1])
    )

    assert refused.value.extra == {
        "prices": [
            {
                "sku": "CUP",
                "expected": {"amount": "2.00", "currency": "GBP"},
                "current": {"amount": "1.99", "currency": "GBP"},
            },
            {
                "sku": "YEN",
                "expected": {"amount": "7", "currency": "JPY"},
                "current": {"amount": "0.07", "currency": "GBP"},
            },
        ]
    }
    assert order.total_minor == 425 + 199 + 7
