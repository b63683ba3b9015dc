"""Cancelling: from everywhere before the last unit moves, and always told."""

import pytest

from app.db import Database
from app.modules.inventory.events import Shortage as Short, StockRejected
from app.modules.orders.errors import (
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.events import OrderCancelled, OrderedLine
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.command import Caller
from tests.orders.sample import (
    CLERK,
    answer,
    catalogue,
    check_history,
    fulfilling,
    history,
    issued,
    published,
    reserved,
    standing_at,
    stored,
    two_databases,
    voided,
)

pytestmark = two_databases


@pytest.fixture(autouse=True)
async def products(database: Database) -> None:
    """Make the product that these tests order."""
    await catalogue(database, MUG=425)


async def cancelled(database: Database, order_id: str, caller: Caller = CLERK) -> PlacedOrder:
    """Cancel in a transaction of its own."""
    async with database.write() as session:
        return await cancel(session, order_id, caller, reason="changed my mind")


@pytest.mark.parametrize("at", [OrderStatus.PENDING, OrderStatus.RESERVED, OrderStatus.CONFIRMED])
async def test_every_exit_releases(database: Database, at: OrderStatus) -> None:
    order_id = await standing_at(database, at)
    before = await stored(database, order_id)

    order = await cancelled(database, order_id)

    assert order == await stored(database, order_id)
    assert (order.status, order.version) == (OrderStatus.CANCELLED, before.version + 1)
    assert order.cancel_reason == "changed my mind"
    assert order.allowed_actions == []
    event = (await published(database))[-1]
    assert isinstance(event, OrderCancelled)
    assert (event.order_id, event.reason) == (order_id, "changed my mind")
    last = (await history(database, order_id))[-1]
    assert (last.action, last.actor, last.detail) == (
        Action.CANCEL,
        "clerk",
        {"reason": "changed my mind"},
    )
    await check_history(database, order_id)


async def test_a_second_cancel_is_refused_and_says_nothing(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.PENDING)
    await cancelled(database, order_id)
    said = await published(database)

    with pytest.raises(OrderStateConflictError) as refused:
        await cancelled(database, order_id)

    assert refused.value.extra == {"current_status": "cancelled", "allowed_actions": []}
    assert await published(database) == said


async def test_r2_stock_reserved_for_a_cancelled_order_changes_nothing(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.PENDING)
    order = await cancelled(database, order_id)
    said = await published(database)

    # Late, twice, and the other way round: what was cancelled has told inventory to let go.
    await answer(database, reserved(order_id), reserved(order_id))
    short = Short(sku="MUG", requested=2, available=0)
    await answer(database, StockRejected(order_id=order_id, shortages=(short,)))

    assert await stored(database, order_id) == order
    assert await published(database) == said


async def test_what_moves_cannot_be_cancelled(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    fulfillment = await fulfilling(database, order_id, ("MUG", 1))
    assert (await stored(database, order_id)).allowed_actions == [Action.FULFILL]

    with pytest.raises(OrderStateConflictError) as refused:
        await cancelled(database, order_id)

    assert refused.value.extra == {
        "current_status": OrderStatus.CONFIRMED,
        "allowed_actions": [Action.FULFILL],
    }
    await answer(database, issued(order_id, fulfillment.id))
    await fulfilling(database, order_id)
    with pytest.raises(OrderStateConflictError):
        await cancelled(database, order_id)


async def test_of_an_order_that_left_in_part_the_rest_can_be_cancelled(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    fulfillment = await fulfilling(database, order_id, ("MUG", 1))
    await answer(database, issued(order_id, fulfillment.id))
    assert (await stored(database, order_id)).allowed_actions == [Action.CANCEL, Action.FULFILL]

    order = await cancelled(database, order_id)

    assert (order.status, order.allowed_actions) == (OrderStatus.CANCELLED, [])
    assert [(line.open, line.fulfilled) for line in order.lines] == [(1, 1)]
    event = (await published(database))[-1]
    assert isinstance(event, OrderCancelled)
    assert event.fulfilled == (OrderedLine(sku="MUG", quantity=1),)
    await check_history(database, order_id)


async def test_what_moves_no_longer_can_be_cancelled(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    fulfillment = await fulfilling(database, order_id, ("MUG", 2))
    await answer(database, voided(order_id, fulfillment.id))

    order = await cancelled(database, order_id)

    assert order.status is OrderStatus.CANCELLED
    assert [one.id for one in order.fulfillments] == [fulfillment.id]


async def test_a_stale_version_and_a_strange_customer_cancel_nothing(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    with pytest.raises(PreconditionFailedError):
        await cancelled(database, order_id, Caller(versions={1}))
    with pytest.raises(OrderNotFoundError):
        await cancelled(database, order_id, Caller(customer_id="c-2"))

    assert (await stored(database, order_id)).status is OrderStatus.RESERVED
