"""Reading: lists with filters, timelines from a version on, and what waits for too long."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.bus.sql import later
from app.db import Database
from app.modules.orders.errors import OrderNotFoundError
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import ListedOrder, OrderDraft, StuckOrder, Wait
from app.modules.orders.models.tables import fulfillments, orders
from app.modules.orders.service.read import get_order, list_orders, timeline, versions
from app.modules.orders.service.stuck import stuck
from tests.orders.sample import (
    answer,
    catalogue,
    draft,
    fulfilling,
    history,
    issued,
    manual,
    overdue,
    placed,
    standing_at,
    stored,
    two_databases,
    unfulfilling,
)

pytestmark = two_databases


@pytest.fixture(autouse=True)
async def products(database: Database) -> None:
    """Make the products that these tests order."""
    await catalogue(database, MUG=425, CUP=199)


async def listed(database: Database, **filters: object) -> list[ListedOrder]:
    """Return what a list with these filters has."""
    async with database.read() as session:
        return list(await list_orders(session, **{"limit": 10, **filters}))  # type: ignore[arg-type]  # any filters


async def ids(database: Database, **filters: object) -> list[str]:
    return [order.id for order in await listed(database, **filters)]


async def test_a_list_is_filtered_and_newest_first(database: Database) -> None:
    [one] = await placed(database, draft(("MUG", 1)))
    other = OrderDraft(customer_id="c-2", lines=[("CUP", 1)], reference="WEB-1")
    [two] = await placed(database, other)
    three = await standing_at(database, OrderStatus.RESERVED)
    past = one.created_at - timedelta(hours=3)
    async with database.write() as session:
        await session.execute(
            update(orders).where(orders.c.id == one.id).values(created_at=later(-3 * 3600))
        )

    assert await ids(database) == [three, two.id, one.id]
    assert await ids(database, limit=1) == [three]
    assert await ids(database, before=two.id) == [one.id]
    assert await ids(database, statuses={OrderStatus.PENDING}) == [two.id, one.id]
    both = {OrderStatus.PENDING, OrderStatus.RESERVED}
    assert await ids(database, statuses=both, customer_id="c-1") == [three, one.id]
    assert await ids(database, customer_id="c-2") == [two.id]
    assert await ids(database, reference="WEB-1") == [two.id]
    assert await ids(database, sku="MUG") == [three, one.id]
    assert await ids(database, sku="MUG", customer_id="c-2") == []
    assert await ids(database, created_until=past + timedelta(hours=1)) == [one.id]
    assert await ids(database, created_from=past + timedelta(hours=1)) == [three, two.id]


async def test_a_list_shows_what_the_order_itself_shows(database: Database) -> None:
    ids_ = [
        await standing_at(database, status)
        for status in (OrderStatus.PENDING, OrderStatus.RESERVED, OrderStatus.CONFIRMED)
    ]
    part = await standing_at(database, OrderStatus.CONFIRMED, ("MUG", 2), ("CUP", 1))
    await fulfilling(database, part, ("MUG", 1))
    done = await standing_at(database, OrderStatus.CONFIRMED)
    await answer(database, issued(done, (await fulfilling(database, done)).id))

    shown = {order.id: order for order in await listed(database)}

    for order_id in (*ids_, part, done):
        order = await stored(database, order_id)
        assert shown[order_id].allowed_actions == order.allowed_actions
        assert shown[order_id].expires_at == order.expires_at
        assert (shown[order_id].open_units, shown[order_id].moving_units) == (
            order.open_units,
            order.moving_units,
        )
    assert shown[part].allowed_actions == [Action.FULFILL]


async def test_a_timeline_goes_on_after_a_version(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    whole = await history(database, order_id)

    async with database.read() as session:
        assert await timeline(session, order_id, after=1) == whole[1:]
        assert await timeline(session, order_id, after=2) == whole[2:]
        assert await timeline(session, order_id, after=3) == []
    assert whole[2].latency_ms is not None


async def test_versions_are_read_of_many_at_once(database: Database) -> None:
    pending = await standing_at(database, OrderStatus.PENDING)
    reserved = await standing_at(database, OrderStatus.RESERVED)

    async with database.read() as session:
        found = await versions(session, [reserved, pending, "ord_unknown", pending])

    assert found == {pending: 1, reserved: 2}


async def test_another_customers_order_cannot_be_read(database: Database) -> None:
    [order] = await placed(database, draft(("MUG", 1)))

    async with database.read() as session:
        assert await get_order(session, order.id, customer_id="c-1") == order
        for read in (get_order, timeline):
            with pytest.raises(OrderNotFoundError):
                await read(session, order.id, customer_id="c-2")
            with pytest.raises(OrderNotFoundError):
                await read(session, "ord_unknown")


async def test_what_waits_for_too_long_is_listed_the_longest_first(database: Database) -> None:
    fresh = await standing_at(database, OrderStatus.PENDING)
    [pending] = await placed(database, manual(("MUG", 1)))
    reserved = await standing_at(database, OrderStatus.RESERVED)
    shipping = [await standing_at(database, OrderStatus.CONFIRMED) for _ in range(2)]
    moving = [await fulfilling(database, order_id) for order_id in shipping]
    await unfulfilling(database, shipping[1], moving[1].id)
    await answer(database, issued(shipping[0], moving[0].id))
    await overdue(database, reserved, by_s=300)
    async with database.write() as session:
        await session.execute(
            update(orders).where(orders.c.id == pending.id).values(created_at=later(-200))
        )
        await session.execute(update(fulfillments).values(updated_at=later(-400)))

    async with database.read() as session:
        found = await stuck(session, older_than_s=100, limit=10)
        assert [(one.waits_for, one.order_id, one.fulfillment_id) for one in found] == [
            (Wait.ISSUE, shipping[1], moving[1].id),
            (Wait.EXPIRY, reserved, None),
            (Wait.DECISION, pending.id, None),
        ]
        assert await stuck(session, older_than_s=100, limit=1) == found[:1]
        assert [one.order_id for one in await stuck(session, older_than_s=350, limit=10)] == [
            shipping[1]
        ]
    assert isinstance(found[0], StuckOrder)
    assert fresh not in {one.order_id for one in found}
