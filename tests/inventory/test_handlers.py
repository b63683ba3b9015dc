"""What inventory hears, and that one handler hears it all: a batch keeps the sequence of events."""

import pytest

from app.bus.event import Event
from app.db import Database
from app.modules.inventory.events import StockIssued, StockReleased, StockReserved
from app.modules.inventory.handlers import move_stock, step, subscriber
from app.modules.orders.events import (
    FulfillmentCancelRequested,
    FulfillmentRequested,
    HoldConfirmed,
    OrderCancelled,
    OrderCreated,
    OrderedLine,
    OrderExpired,
    OrderFulfilled,
)
from tests.inventory.sample import check_books, counters, said, stock

LINES = (OrderedLine(sku="MUG", quantity=2),)


def test_one_handler_hears_everything_about_an_order() -> None:
    heard = {kind for kind, _ in subscriber.handlers.values()}

    assert heard == {
        OrderCreated,
        HoldConfirmed,
        OrderCancelled,
        OrderExpired,
        FulfillmentRequested,
        FulfillmentCancelRequested,
    }
    # Two handlers would split a batch, and their statements would no longer be one set.
    assert len({id(handler) for _, handler in subscriber.handlers.values()}) == 1
    assert all(handler.batch for _, handler in subscriber.handlers.values())


@pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)
async def test_a_batch_of_every_kind_is_taken_event_by_event(database: Database) -> None:
    await stock(database, MUG=4)
    events: list[Event] = [
        OrderCreated(order_id="o-1", lines=LINES),
        OrderCreated(order_id="o-2", lines=LINES, confirm="manual"),
        FulfillmentCancelRequested(order_id="o-1", fulfillment_id="f-1"),
        HoldConfirmed(order_id="o-1"),
        OrderExpired(order_id="o-2"),
        FulfillmentRequested(order_id="o-1", fulfillment_id="f-1", lines=LINES),
        OrderCreated(order_id="o-3", lines=LINES, confirm="manual"),
        HoldConfirmed(order_id="o-3"),
        FulfillmentRequested(order_id="o-3", fulfillment_id="f-3", lines=LINES),
        OrderCancelled(order_id="o-1", reason="changed my mind"),
    ]

    async with database.write() as session:
        await move_stock(events, session)

    answered = await said(database, StockReserved, StockReleased, StockIssued)
    assert [(type(one), one.subject) for one in answered] == [
        (StockReserved, "o-1"),
        (StockReserved, "o-2"),
        (StockReleased, "o-2"),
        (StockReserved, "o-3"),
        (StockIssued, "o-3"),
        (StockReleased, "o-1"),
    ]
    assert [getattr(one, "reason", None) for one in answered][2::3] == ["expired", "cancelled"]
    assert await counters(database) == {("MUG", "default"): (2, 0, 0)}
    await check_books(database)


def test_what_asks_nothing_of_stock_is_a_bug() -> None:
    with pytest.raises(TypeError):
        step(OrderFulfilled(order_id="o-1"))
