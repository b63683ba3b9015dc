"""Reserving: all or nothing, first come first served, once per order, never oversold."""

import random
from functools import partial

import pytest

from app.bus.event import Context, current_context
from app.bus.tables import outbox
from app.db import Database
from app.modules.inventory.events import ReservedLine, Shortage, StockRejected, StockReserved
from app.modules.inventory.service import decide as deciding
from app.modules.inventory.service.steps import Reserve
from tests.inventory.sample import (
    answers,
    check_books,
    decide,
    levels,
    movements,
    request,
    reserved_orders,
    stock,
)
from tests.transactions import at_once, counted


async def test_every_line_of_an_order_is_held(database: Database) -> None:
    await stock(database, MUG=10, CUP=5)

    await decide(database, request("o-1", MUG=4, CUP=5))

    assert await levels(database) == {"MUG": (10, 4), "CUP": (5, 5)}
    [answer] = await answers(database)
    assert isinstance(answer, StockReserved)
    assert answer.lines == (
        ReservedLine(sku="MUG", location="default", quantity=4),
        ReservedLine(sku="CUP", location="default", quantity=5),
    )
    await check_books(database)


async def test_one_short_line_holds_nothing_and_every_short_line_is_listed(
    database: Database,
) -> None:
    await stock(database, MUG=10, CUP=5, JUG=1)

    await decide(database, request("o-1", JUG=2, MUG=4, CUP=6, NEVER_SEEN=1))

    assert await levels(database) == {"MUG": (10, 0), "CUP": (5, 0), "JUG": (1, 0)}
    [answer] = await answers(database)
    assert isinstance(answer, StockRejected)
    assert answer.shortages == (
        Shortage(sku="JUG", requested=2, available=1),
        Shortage(sku="CUP", requested=6, available=5),
        Shortage(sku="NEVER_SEEN", requested=1, available=0),
    )
    await check_books(database)


async def test_a_sku_that_comes_twice_is_asked_for_once_with_both_quantities(
    database: Database,
) -> None:
    await stock(database, MUG=10)
    twice = request("o-1", MUG=6)

    await decide(
        database, Reserve(order_id="o-1", lines=[("MUG", 6), ("MUG", 6)], cause=twice.cause)
    )

    [answer] = await answers(database)
    assert isinstance(answer, StockRejected)
    assert answer.shortages == (Shortage(sku="MUG", requested=12, available=10),)
    assert await levels(database) == {"MUG": (10, 0)}


async def test_a_batch_is_decided_first_come_first_served(database: Database) -> None:
    await stock(database, MUG=10)

    await decide(database, request("o-1", MUG=6), request("o-2", MUG=6), request("o-0", MUG=4))

    assert await reserved_orders(database) == ["o-1", "o-0"]
    rejected = (await answers(database))[1]
    assert isinstance(rejected, StockRejected)
    assert rejected.shortages == (Shortage(sku="MUG", requested=6, available=4),)
    assert await levels(database) == {"MUG": (10, 10)}
    await check_books(database)


async def test_deciding_a_batch_is_deciding_its_orders_one_by_one(database: Database) -> None:
    rng = random.Random(7)
    skus = [f"SKU-{number}" for number in range(8)]
    await stock(database, **{sku: rng.randint(0, 40) or 1 for sku in skus})
    left = {sku: on_hand for sku, (on_hand, _) in (await levels(database)).items()}
    asked = [
        request(f"o-{number:03}", **{sku: rng.randint(1, 6) for sku in rng.sample(skus, 3)})
        for number in range(60)
    ]

    await decide(database, *asked)

    expected = []
    for one in asked:
        if all(left[sku] >= quantity for sku, quantity in one.lines):
            left = {**left, **{sku: left[sku] - quantity for sku, quantity in one.lines}}
            expected.append(one.order_id)
    assert await reserved_orders(database) == expected
    assert 0 < len(expected) < 60
    await check_books(database)


async def test_the_same_batch_again_changes_nothing(database: Database) -> None:
    await stock(database, MUG=10)
    batch = [request("o-1", MUG=4), request("o-2", MUG=40)]
    await decide(database, *batch)
    books, said = await movements(database), await answers(database)

    await decide(database, *batch)
    await decide(database, *reversed(batch), request("o-3", MUG=1))

    assert len(await movements(database)) == len(books) + 1
    assert (await answers(database))[:-1] == said
    assert await levels(database) == {"MUG": (10, 5)}


async def test_an_order_created_twice_in_one_batch_is_decided_once(database: Database) -> None:
    await stock(database, MUG=10)

    await decide(database, request("o-1", MUG=4), request("o-1", MUG=4), request("o-2", MUG=4))

    assert await reserved_orders(database) == ["o-1", "o-2"]
    assert await levels(database) == {"MUG": (10, 8)}
    await check_books(database)


async def test_a_rejected_order_stays_rejected_when_stock_arrives(database: Database) -> None:
    late = request("o-1", MUG=4)
    await decide(database, late)
    await stock(database, MUG=10)

    await decide(database, late)

    assert await levels(database) == {"MUG": (10, 0)}
    assert len(await answers(database)) == 1


async def test_nothing_to_decide_is_nothing_done(database: Database) -> None:
    await decide(database)

    assert await answers(database) == []


async def test_an_order_of_a_thousand_lines_is_held(database: Database) -> None:
    units = {f"SKU-{number:04}": number % 7 + 1 for number in range(1000)}
    await stock(database, **units)

    await decide(database, request("o-1", **units))

    assert await reserved_orders(database) == ["o-1"]
    assert all(on_hand == reserved for on_hand, reserved in (await levels(database)).values())
    await check_books(database)


async def test_a_batch_larger_than_what_a_driver_can_bind_is_held(database: Database) -> None:
    units = {f"SKU-{number:04}": 100 for number in range(700)}
    await stock(database, **units)

    await decide(
        database, *(request(f"o-{number:02}", **dict.fromkeys(units, 1)) for number in range(50))
    )

    assert len(await reserved_orders(database)) == 50
    assert set((await levels(database)).values()) == {(100, 50)}


async def test_a_batch_costs_as_many_statements_as_one_order(database: Database) -> None:
    await stock(database, MUG=100, CUP=100)

    with counted(database) as one:
        await decide(database, request("o-1", MUG=1, CUP=1))
    with counted(database) as many:
        await decide(database, *(request(f"o-1{number:02}", MUG=1, CUP=1) for number in range(40)))
    with counted(database) as mixed:
        await decide(database, *(request(f"o-2{number:02}", MUG=3, CUP=1) for number in range(40)))

    assert len(_work(one)) == len(_work(many)) == 6
    assert len(_work(mixed)) == 7


async def test_the_answer_names_its_cause(database: Database) -> None:
    await stock(database, MUG=10)
    asked = request("o-1", MUG=1)
    token = current_context.set(Context(correlation_id="the-batch-before"))

    await decide(database, asked)
    current_context.reset(token)

    async with database.read() as session:
        [(correlation_id, envelope)] = await session.execute(
            outbox.select().with_only_columns(outbox.c.correlation_id, outbox.c.envelope)
        )
    assert correlation_id == str(asked.cause.id)
    assert f'"causationid":"{asked.cause.id}"' in envelope
    assert {row.event_id for row in await movements(database)} == {None, asked.cause.id}


async def test_a_storm_over_the_last_units_never_oversells(database: Database) -> None:
    skus = [f"SKU-{number}" for number in range(6)]
    await stock(database, **dict.fromkeys(skus, 25))
    rng = random.Random(11)
    batches = [
        [
            request(f"o-{batch:02}-{place}", **dict.fromkeys(rng.sample(skus, 3), 1))
            for place in range(4)
        ]
        for batch in range(24)
    ]

    # A deadlock would raise here, and end the storm.
    await at_once(database, *(partial(decide, database, *batch) for batch in batches))

    await check_books(database)
    held = await reserved_orders(database)
    assert len(await answers(database)) == 96
    # 150 units for orders of three: what is left over cannot serve one more order of each mix.
    assert 40 <= len(held) <= 50
    left = {
        sku for sku, (on_hand, reserved) in (await levels(database)).items() if on_hand > reserved
    }
    for one in (one for batch in batches for one in batch if one.order_id not in held):
        assert not {sku for sku, _ in one.lines} <= left


async def test_one_unit_goes_to_one_of_many(database: Database) -> None:
    await stock(database, MUG=1)

    orders = [request(f"o-{number:02}", MUG=1) for number in range(30)]
    await at_once(database, *(partial(decide, database, order) for order in orders))

    assert len(await reserved_orders(database)) == 1
    assert len(await answers(database)) == 30
    await check_books(database)


async def test_twins_that_decide_the_same_orders_at_once_decide_each_once(
    database: Database,
) -> None:
    await stock(database, MUG=1000)
    orders = [request(f"o-{number:02}", MUG=2) for number in range(20)]
    rng = random.Random(3)

    await at_once(
        database, *(partial(decide, database, *rng.sample(orders, 20)) for _ in range(16))
    )

    assert sorted(await reserved_orders(database)) == [one.order_id for one in orders]
    assert await levels(database) == {"MUG": (1000, 40)}
    await check_books(database)


async def test_receiving_and_reserving_at_once_keeps_the_books(database: Database) -> None:
    orders = [request(f"o-{number:02}", C=1, A=1, B=1) for number in range(16)]

    await at_once(
        database,
        *(partial(stock, database, B=1, C=1, A=1) for _ in orders),
        *(partial(decide, database, order) for order in orders),
    )

    assert {on_hand for on_hand, _ in (await levels(database)).values()} == {16}
    await check_books(database)


async def test_what_is_rolled_back_was_never_decided(database: Database) -> None:
    await stock(database, MUG=1)

    with pytest.raises(ZeroDivisionError):
        await _decide_and_fail(database, request("o-1", MUG=1))
    await decide(database, request("o-2", MUG=1))

    assert await reserved_orders(database) == ["o-2"]
    await check_books(database)


async def _decide_and_fail(database: Database, asked: Reserve) -> None:
    async with database.write() as session:
        await deciding.decide(session, [asked])
        _ = 1 // 0


def _work(statements: list[str]) -> list[str]:
    """Leave out what opens the transaction."""
    return [statement for statement in statements if not statement.startswith("BEGIN")]
