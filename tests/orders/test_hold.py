"""Holds: they last as long as was said, can be extended so far, and whoever is first wins."""

from datetime import timedelta
from functools import partial

import pytest

from app.db import Database
from app.modules.orders.errors import (
    ExtendLimitError,
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.events import OrderConfirmed, OrderCreated, OrderExpired, OrderReserved
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.command import Caller
from app.modules.orders.service.hold import confirm, expire_due, extend
from tests.orders.sample import (
    CLERK,
    answer,
    catalogue,
    check_history,
    draft,
    history,
    manual,
    overdue,
    placed,
    published,
    reserved,
    standing_at,
    stored,
    two_databases,
)
from tests.transactions import counted, holding

pytestmark = two_databases


@pytest.fixture(autouse=True)
async def products(database: Database) -> None:
    """Make the products that these tests order."""
    await catalogue(database, MUG=425, CUP=199)


async def confirmed(database: Database, order_id: str, caller: Caller = CLERK) -> PlacedOrder:
    """Confirm in a transaction of its own."""
    async with database.write() as session:
        return await confirm(session, order_id, caller)


async def extended(
    database: Database, order_id: str, *, seconds: int | None = None, limit_s: int = 10**6
) -> PlacedOrder:
    """Extend in a transaction of its own."""
    async with database.write() as session:
        return await extend(session, order_id, CLERK, seconds=seconds, limit_s=limit_s)


async def expired(database: Database, limit: int = 500) -> int:
    """Sweep once."""
    async with database.write() as session:
        return await expire_due(session, limit)


async def test_a_manual_order_is_held_and_then_confirmed(database: Database) -> None:
    [order] = await placed(database, manual(("MUG", 2), hold_s=600))
    assert (order.confirm, order.hold_s, order.expires_at) == ("manual", 600, None)

    await answer(database, reserved(order.id))

    held = await stored(database, order.id)
    assert held.status is OrderStatus.RESERVED
    assert held.reserved_at is not None
    assert held.expires_at is not None
    assert abs(held.expires_at - held.reserved_at - timedelta(seconds=600)) < timedelta(seconds=1)
    event = (await published(database))[-1]
    assert isinstance(event, OrderReserved)
    assert event.expires_at == held.expires_at

    done = await confirmed(database, order.id)

    assert (done.status, done.version) == (OrderStatus.CONFIRMED, 3)
    assert done == await stored(database, order.id)
    assert isinstance((await published(database))[-1], OrderConfirmed)
    assert [(one.action, one.actor) for one in await history(database, order.id)] == [
        (Action.PLACE, None),
        (Action.RESERVE, None),
        (Action.CONFIRM, "clerk"),
    ]
    await check_history(database, order.id)


async def test_a_hold_expires_when_its_time_is_up_and_not_before(database: Database) -> None:
    early = await standing_at(database, OrderStatus.RESERVED)
    late = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, late)

    assert await expired(database) == 1
    assert await expired(database) == 0

    assert (await stored(database, early)).status is OrderStatus.RESERVED
    assert (await stored(database, late)).status is OrderStatus.EXPIRED
    [event] = [one for one in await published(database) if isinstance(one, OrderExpired)]
    assert event.order_id == late
    last = (await history(database, late))[-1]
    assert (last.action, last.actor, last.event_id) == (Action.EXPIRE, None, None)
    await check_history(database, late)


async def test_a_sweep_takes_the_longest_overdue_and_no_more_than_it_may(
    database: Database,
) -> None:
    ids = [await standing_at(database, OrderStatus.RESERVED) for _ in range(3)]
    for place, order_id in enumerate(ids):
        await overdue(database, order_id, by_s=10 * (place + 1))

    assert await expired(database, limit=2) == 2

    assert (await stored(database, ids[0])).status is OrderStatus.RESERVED


async def test_a_sweep_passes_over_what_somebody_else_has_locked(database: Database) -> None:
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    taken = await standing_at(database, OrderStatus.RESERVED)
    free = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, taken, free)

    async with holding(database, partial(confirm, order_id=taken, caller=CLERK)):
        assert await expired(database) == 1

    assert (await stored(database, taken)).status is OrderStatus.CONFIRMED
    assert (await stored(database, free)).status is OrderStatus.EXPIRED


async def test_placing_expires_first_so_that_inventory_has_the_units_back(
    database: Database,
) -> None:
    held = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, held)

    [order] = await placed(database, draft(("MUG", 2)))

    gone, created = (await published(database))[-2:]
    assert isinstance(gone, OrderExpired)
    assert isinstance(created, OrderCreated)
    assert (gone.order_id, created.order_id) == (held, order.id)


async def test_expiring_costs_the_same_for_one_and_for_many(database: Database) -> None:
    ids = [await standing_at(database, OrderStatus.RESERVED) for _ in range(21)]

    with counted(database) as none:
        await expired(database)
    await overdue(database, ids[0])
    with counted(database) as one:
        await expired(database)
    await overdue(database, *ids[1:])
    with counted(database) as many:
        assert await expired(database) == 20

    assert [
        len([text for text in texts if not text.startswith("BEGIN")]) for texts in (none, one, many)
    ] == [1, 5, 5]


async def test_the_search_for_overdue_holds_reads_only_those(database: Database) -> None:
    if not database.single_writer:
        pytest.skip("PostgreSQL plans by the size of its tables, which are empty here")
    with counted(database) as statements:
        await expired(database)

    async with database.reader.connect() as connection:
        [query] = [text for text in statements if not text.startswith("BEGIN")]
        steps = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")
        searched = [str(step) for step in steps.scalars(3) if "orders" in step]

    assert searched
    assert all("INDEX ix_orders_held (expires_at<?)" in step for step in searched)


async def test_a_hold_is_extended_from_now_on(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    before = await stored(database, order_id)

    after = await extended(database, order_id, seconds=5000)

    assert before.expires_at is not None
    assert after.expires_at is not None
    assert after.expires_at - before.expires_at > timedelta(seconds=4000)
    assert (after.status, after.version) == (OrderStatus.RESERVED, 3)
    assert after.reserved_at == before.reserved_at
    assert after == await stored(database, order_id)
    last = (await history(database, order_id))[-1]
    assert (last.action, last.actor, last.detail) == (Action.EXTEND, "clerk", {"seconds": 5000})


async def test_an_overdue_hold_that_has_not_expired_can_be_extended(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, order_id)

    await extended(database, order_id)

    assert await expired(database) == 0


async def test_a_hold_never_gets_shorter(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    before = await stored(database, order_id)

    assert await extended(database, order_id, seconds=5) == before
    assert await stored(database, order_id) == before


async def test_a_hold_is_not_extended_past_its_limit(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    held = await stored(database, order_id)

    with pytest.raises(ExtendLimitError) as refused:
        await extended(database, order_id, seconds=2000, limit_s=1000)

    assert held.reserved_at is not None
    assert refused.value.extra == {"latest": held.reserved_at + timedelta(seconds=1000)}
    assert await stored(database, order_id) == held


async def test_a_command_names_the_version_it_means(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    with pytest.raises(PreconditionFailedError) as refused:
        await confirmed(database, order_id, Caller(versions={1, 7}))
    done = await confirmed(database, order_id, Caller(versions={2}))

    assert refused.value.extra == {"current_version": 2}
    assert done.status is OrderStatus.CONFIRMED


async def test_another_customers_order_is_not_found(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    with pytest.raises(OrderNotFoundError):
        await confirmed(database, order_id, Caller(customer_id="c-2"))
    with pytest.raises(OrderNotFoundError):
        await confirmed(database, "ord_unknown")
    done = await confirmed(database, order_id, Caller(customer_id="c-1"))

    assert done.status is OrderStatus.CONFIRMED


async def test_a_confirm_twice_is_refused(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)

    with pytest.raises(OrderStateConflictError) as refused:
        await confirmed(database, order_id)

    assert refused.value.detail == "The order is confirmed, so it cannot be confirmed."
    assert len(await published(database)) == 4
