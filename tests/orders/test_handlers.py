"""What orders does when inventory speaks, in whatever mix it comes."""

import pytest

from app.bus.tables import outbox
from app.db import Database
from app.modules.inventory.events import ReservedLine, Shortage, StockRejected, StockReserved
from app.modules.inventory.handlers import move_stock
from app.modules.orders.events import OrderCreated
from app.modules.orders.handlers import apply_answers, subscriber, timers
from app.modules.orders.models.life import OrderStatus
from tests.inventory.sample import answers, check_books, stock
from tests.orders.sample import catalogue, draft, placed, published, stored
from tests.transactions import counted, trips


def test_all_answers_share_one_handler() -> None:
    assert subscriber.contexts == ["inventory"]
    assert len(subscriber.handlers) == 4
    assert len({handler for _, handler in subscriber.handlers.values()}) == 1


def test_the_deadline_is_off_unless_somebody_sets_it() -> None:
    assert [timer.name for timer in timers()] == ["expire-holds"]
    assert [timer.name for timer in timers(decision_deadline_s=5)] == [
        "expire-holds",
        "decision-deadline",
    ]


async def test_mixed_answers_are_one_batch(database: Database) -> None:
    await catalogue(database, MUG=425)
    one, two = await placed(database, draft(("MUG", 1)), draft(("MUG", 9)))
    yes = StockReserved(
        order_id=one.id, lines=(ReservedLine(sku="MUG", location="default", quantity=1),)
    )
    no = StockRejected(order_id=two.id, shortages=(Shortage(sku="MUG", requested=9, available=0),))

    async with database.write() as session:
        await apply_answers([no, yes], session)

    assert (await stored(database, one.id)).status is OrderStatus.CONFIRMED
    rejected = await stored(database, two.id)
    assert rejected.status is OrderStatus.REJECTED
    assert rejected.lines[0].available == 0


async def test_a_fact_goes_from_orders_to_inventory_and_back(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199)
    await stock(database, MUG=10, CUP=1)
    orders = await placed(database, *(draft(("MUG", 2), ("CUP", 1)) for _ in range(3)))
    created = [event for event in await published(database) if isinstance(event, OrderCreated)]

    async with database.write() as session:
        await move_stock(created, session)
    said = await answers(database)
    for _ in range(2):
        async with database.write() as session:
            await apply_answers(said, session)

    statuses = [(await stored(database, order.id)).status for order in orders]
    assert statuses == [OrderStatus.CONFIRMED, OrderStatus.REJECTED, OrderStatus.REJECTED]
    assert len(await published(database)) == 6
    await check_books(database)
    async with database.read() as session:
        chains = await session.scalars(
            outbox.select()
            .with_only_columns(outbox.c.correlation_id)
            .where(outbox.c.subject == orders[0].id)
        )
    assert set(chains) == {str(created[0].id)}


async def test_no_statement_on_the_way_looks_at_rows_it_was_not_asked_for(
    database: Database,
) -> None:
    if not database.single_writer:
        pytest.skip("PostgreSQL plans by the size of its tables, which are empty here")
    await catalogue(database, MUG=425, CUP=199)

    with counted(database) as statements:
        await stock(database, MUG=10, CUP=1)
        await placed(database, *(draft(("MUG", 2), ("CUP", 1)) for _ in range(3)))
        created = [one for one in await published(database) if isinstance(one, OrderCreated)]
        async with database.write() as session:
            await move_stock(created, session)
        said = await answers(database)
        async with database.write() as session:
            await apply_answers(said, session)

    plans = [await _plan(database, one) for one in statements if not one.startswith("BEGIN")]
    steps = [step for plan in plans for step in plan if "VIRTUAL TABLE" not in step]
    assert len(plans) > 6 + 7 + 5  # placing, deciding, settling; and what stocking took
    assert [step for step in steps if step.startswith("SCAN") or "status" in step] == []


async def test_deciding_and_settling_take_five_trips_to_the_database(database: Database) -> None:
    await catalogue(database, MUG=425, CUP=199)
    await stock(database, MUG=10, CUP=10)
    await placed(database, *(draft(("MUG", 2), ("CUP", 1)) for _ in range(3)))
    created = [one for one in await published(database) if isinstance(one, OrderCreated)]

    async with database.write() as session, trips(session) as deciding:
        await move_stock(created, session)
    async with database.write() as session, trips(session) as settling:
        await apply_answers(await answers(database), session)

    # Reservations, the levels' locks, and all that is written; the orders' locks, and the same.
    assert (len(deciding), len(settling)) == (3, 2)


async def _plan(database: Database, statement: str) -> list[str]:
    """Return what SQLite would do for a statement, step by step."""
    async with database.reader.connect() as connection:
        steps = await connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?")
        )
        return [str(step) for step in steps.scalars(3)]
