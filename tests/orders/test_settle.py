"""Settling: a compare-and-set that late, repeated and strange verdicts cannot fool."""

from functools import partial

from app.db import Database
from app.modules.inventory.events import ReservedLine, StockReserved
from app.modules.orders.events import OrderConfirmed, OrderRejected, Shortage
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.settle import Verdict, settle
from tests.orders.sample import catalogue, draft, placed, published, stored
from tests.transactions import at_once, counted

SHORT = Shortage(sku="MUG", requested=2, available=1)


def verdict(order_id: str, *shortages: Shortage) -> Verdict:
    """Return a verdict that some event of inventory is the cause of."""
    lines = (ReservedLine(sku="MUG", location="default", quantity=1),)
    cause = StockReserved(order_id=order_id, lines=lines)
    return Verdict(order_id=order_id, cause=cause, shortages=shortages)


async def orders(database: Database, count: int) -> list[PlacedOrder]:
    """Place as many orders of two mugs and a cup."""
    await catalogue(database, MUG=425, CUP=199)
    return await placed(database, *(draft(("MUG", 2), ("CUP", 1)) for _ in range(count)))


async def settled(database: Database, *verdicts: Verdict) -> list[str]:
    """Settle in one transaction."""
    async with database.write() as session:
        return await settle(session, verdicts)


async def test_an_order_with_stock_is_confirmed(database: Database) -> None:
    [order] = await orders(database, 1)

    assert await settled(database, verdict(order.id)) == [order.id]

    now = await stored(database, order.id)
    assert now.status is OrderStatus.CONFIRMED
    assert now.version == 2
    assert now.updated_at >= order.updated_at
    assert now.lines == order.lines
    assert isinstance((await published(database))[-1], OrderConfirmed)


async def test_an_order_without_is_rejected_with_every_short_line(database: Database) -> None:
    [order] = await orders(database, 1)
    shortages = (SHORT, Shortage(sku="CUP", requested=1, available=0))

    await settled(database, verdict(order.id, *shortages))

    now = await stored(database, order.id)
    assert now.status is OrderStatus.REJECTED
    assert [(line.sku, line.available) for line in now.lines] == [("MUG", 1), ("CUP", 0)]
    event = (await published(database))[-1]
    assert isinstance(event, OrderRejected)
    assert event.shortages == shortages


async def test_the_first_verdict_counts(database: Database) -> None:
    one, two = await orders(database, 2)

    await settled(
        database,
        verdict(one.id),
        verdict(two.id, SHORT),
        verdict(one.id, SHORT),
        verdict(two.id),
    )
    later = await settled(database, verdict(one.id, SHORT), verdict(two.id))

    assert later == []
    assert (await stored(database, one.id)).status is OrderStatus.CONFIRMED
    assert (await stored(database, one.id)).lines == one.lines
    assert (await stored(database, two.id)).status is OrderStatus.REJECTED
    assert len(await published(database)) == 4


async def test_a_verdict_about_an_order_nobody_knows_changes_nothing(database: Database) -> None:
    [order] = await orders(database, 1)

    assert await settled(database, verdict("ord_unknown"), verdict(order.id)) == [order.id]


async def test_no_verdicts_are_no_events(database: Database) -> None:
    assert await settled(database) == []
    assert await published(database) == []


async def test_verdicts_from_many_at_once_settle_each_order_once(database: Database) -> None:
    placed_orders = await orders(database, 30)
    for_it = [verdict(order.id) for order in placed_orders]
    against = [verdict(order.id, SHORT) for order in reversed(placed_orders)]
    changed: list[str] = []

    async def run(*verdicts: Verdict) -> None:
        changed.extend(await settled(database, *verdicts))

    # A deadlock would raise here, and end the storm.
    await at_once(
        database,
        *(partial(run, *for_it) for _ in range(8)),
        *(partial(run, *against) for _ in range(8)),
    )

    assert sorted(changed) == sorted(order.id for order in placed_orders)
    assert len(await published(database)) == 60


async def test_a_batch_costs_as_many_statements_as_one_verdict(database: Database) -> None:
    first, *rest = await orders(database, 101)

    with counted(database) as one:
        await settled(database, verdict(first.id))
    with counted(database) as many:
        await settled(
            database,
            *(verdict(order.id) for order in rest[:50]),
            *(verdict(order.id, SHORT) for order in rest[50:]),
        )

    assert len([text for text in one if not text.startswith("BEGIN")]) == 4
    assert len(many) == len(one) + 1
