"""Locks of orders: each kind in key order, and one verdict per order."""

from functools import partial

import pytest

from app.db import Database
from app.modules.orders.events import Shortage
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.place import place
from app.modules.orders.service.settle import Verdict, settle
from tests.orders.sample import catalogue, draft, placed, published, stored
from tests.transactions import Work, blocked, check_lock_order, commit, holding

pytestmark = pytest.mark.every_postgres


def placing(*references: str) -> Work:
    """Place an order under each reference, in the sequence given."""
    return partial(place, drafts=[draft(("MUG", 1), reference=one) for one in references])


async def confirming(database: Database, *order_ids: str, short: bool = False) -> Work:
    """Settle these orders, in the sequence given."""
    cause = (await published(database))[0]
    shortages = (Shortage(sku="MUG", requested=1, available=0),) if short else ()
    verdicts = [Verdict(order_id=one, cause=cause, shortages=shortages) for one in order_ids]
    return partial(settle, verdicts=verdicts)


async def test_references_are_taken_in_order(database: Database) -> None:
    await catalogue(database, MUG=425)

    await check_lock_order(database, placing("R-1"), placing("R-2", "R-1"), placing("R-2"))

    assert len(await published(database)) == 2


async def test_orders_are_settled_in_order(database: Database) -> None:
    await catalogue(database, MUG=425)
    drafts = [draft(("MUG", 1)) for _ in range(2)]
    first, second = (one.id for one in drafts)
    # Stored against the order, so that reading the table as it lies would not do.
    for one in reversed(drafts):
        await placed(database, one)

    await check_lock_order(
        database,
        await confirming(database, first),
        await confirming(database, second, first),
        await confirming(database, second),
    )

    assert len(await published(database)) == 4


async def test_a_verdict_waits_for_another_and_then_comes_too_late(database: Database) -> None:
    await catalogue(database, MUG=425)
    [order] = await placed(database, draft(("MUG", 1)))
    against = await confirming(database, order.id, short=True)

    async with holding(database, await confirming(database, order.id)) as others:
        others.start_soon(commit, database, against)
        await blocked(database)

    settled = await stored(database, order.id)
    assert settled.status is OrderStatus.CONFIRMED
    assert settled.lines == order.lines
    assert len(await published(database)) == 2
