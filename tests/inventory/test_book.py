"""The book: where units are taken from, what is kept back, and which thresholds are told."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.db import Database
from app.modules.inventory.events import ReservedLine, Shortage, StockBack, StockLow, StockOut
from app.modules.inventory.models.drafts import AdjustmentDraft, DeltaLine, ReceiptDraft
from app.modules.inventory.service.book import MOST_ON_HAND, Book
from app.modules.inventory.service.correct import adjust
from app.modules.inventory.service.decide import decide as decide_in
from app.modules.inventory.service.receive import receive
from app.modules.inventory.service.steps import Step
from tests.inventory.sample import (
    answers,
    auto,
    cancelled,
    check_books,
    counters,
    decide,
    keep,
    locate,
    movements,
    request,
    reserved_orders,
    said,
    shipment,
    stock,
    stock_at,
    switch,
)
from tests.transactions import blocked, counted, holding

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


async def held(database: Database, order_id: str) -> list[tuple[str, int]]:
    """Return where how many MUGs are held for an order."""
    [answer] = [one for one in await answers(database) if one.order_id == order_id]
    return [(line.location, line.quantity) for line in getattr(answer, "lines", ())]


async def told(database: Database) -> list[Event]:
    """Return the thresholds that were told."""
    return await said(database, StockLow, StockOut, StockBack)


def kinds(found: list[Event]) -> list[str]:
    """Return the names of events."""
    return [type(one).__name__ for one in found]


async def test_units_come_from_the_lowest_priority_then_the_first_name(database: Database) -> None:
    await locate(database, b_shop=1, a_shop=1, depot=0, attic=2)
    for location in ("a_shop", "b_shop", "depot", "attic"):
        await stock_at(database, location, MUG=3)

    await decide(database, auto("o-1", MUG=2), auto("o-2", MUG=3), auto("o-3", MUG=6))

    assert await held(database, "o-1") == [("depot", 2)]
    assert await held(database, "o-2") == [("depot", 1), ("a_shop", 2)]
    assert await held(database, "o-3") == [("a_shop", 1), ("b_shop", 3), ("attic", 2)]
    ledger = [(row.location, row.d_reserved) for row in await movements(database) if row.order_id]
    assert ledger[-3:] == [("a_shop", 1), ("b_shop", 3), ("attic", 2)]
    await check_books(database)


async def test_a_location_that_is_not_active_offers_nothing_and_keeps_what_it_holds(
    database: Database,
) -> None:
    await locate(database, depot=0, shop=1)
    await stock_at(database, "depot", MUG=3)
    await stock_at(database, "shop", MUG=3)
    await decide(database, auto("o-1", MUG=2))

    await switch(database, "depot", active=False)
    await decide(database, auto("o-2", MUG=3), auto("o-3", MUG=1))
    await decide(database, cancelled("o-1"))
    await stock_at(database, "depot", MUG=1)

    assert await held(database, "o-2") == [("shop", 3)]
    assert await reserved_orders(database) == ["o-1", "o-2"]
    assert await counters(database) == {("MUG", "depot"): (4, 0, 0), ("MUG", "shop"): (3, 3, 3)}
    await switch(database, "depot", active=True)
    await decide(database, auto("o-4", MUG=4))
    assert await held(database, "o-4") == [("depot", 4)]
    await check_books(database)


async def test_what_one_location_lacks_never_poisons_another(database: Database) -> None:
    await locate(database, depot=0, shop=1)
    await stock_at(database, "depot", MUG=9)
    await decide(database, auto("o-1", MUG=9))
    # All of the depot is spoken for, and it is closed: minus nine is not what it adds.
    await switch(database, "depot", active=False)
    await stock_at(database, "shop", MUG=2)

    await decide(database, auto("o-2", MUG=3), auto("o-3", MUG=2))

    assert await reserved_orders(database) == ["o-1", "o-3"]
    await check_books(database)


async def test_safety_stock_is_never_promised(database: Database) -> None:
    await locate(database, depot=0, shop=1)
    await stock_at(database, "depot", MUG=4)
    await stock_at(database, "shop", MUG=4)
    await keep(database, "MUG", safety=3)

    await decide(database, auto("o-1", MUG=6), auto("o-2", MUG=4), auto("o-3", MUG=2))

    rejected = (await answers(database))[0]
    assert getattr(rejected, "shortages", None) == (Shortage(sku="MUG", requested=6, available=5),)
    assert await reserved_orders(database) == ["o-2"]
    await keep(database, "MUG", safety=99)
    await decide(database, auto("o-4", MUG=1))
    assert (await answers(database))[-1].order_id == "o-4"
    assert getattr((await answers(database))[-1], "shortages", None) == (
        Shortage(sku="MUG", requested=1, available=0),
    )
    await check_books(database)


async def test_thresholds_are_told_when_they_are_crossed_and_once(database: Database) -> None:
    await keep(database, "MUG", safety=2, low=3)
    await stock(database, MUG=10)
    steps: list[Step] = [auto(f"o-{number}", MUG=2) for number in range(5)]
    seen = []

    for step in [*steps, cancelled("o-3"), cancelled("o-2"), cancelled("o-1"), cancelled("o-0")]:
        before = len(await told(database))
        await decide(database, step)
        seen.append(kinds((await told(database))[before:]))

    # 8 to promise, then 6, 4, 2 (low), 0 (out), nothing for o-4; 2 (back), 4, 6, 8.
    assert seen == [[], [], ["StockLow"], ["StockOut"], [], ["StockBack"], [], [], []]
    low, out, back = await told(database)
    assert (getattr(low, "available", None), getattr(low, "low_stock_at", None)) == (2, 3)
    assert getattr(back, "available", None) == 2
    assert out.subject == "MUG"
    assert out.consequence().correlation_id == str(steps[3].cause.id)


async def test_a_transaction_tells_of_a_sku_once_and_of_what_it_became(database: Database) -> None:
    await keep(database, "MUG", low=5)
    await stock(database, MUG=10, CUP=1)

    # Low and out and back again: it is as it was. The other one is out.
    await decide(database, auto("o-1", MUG=10), auto("o-2", CUP=1), cancelled("o-1"))
    assert [(type(one), one.subject) for one in await told(database)] == [(StockOut, "CUP")]

    # Through the low mark and out.
    await decide(database, auto("o-3", MUG=7), auto("o-4", MUG=3))
    assert kinds(await told(database)) == ["StockOut", "StockOut"]


async def test_what_was_never_in_the_books_is_not_back_when_it_comes(database: Database) -> None:
    await keep(database, "MUG", low=5)
    await stock(database, MUG=1)
    assert await told(database) == []

    await decide(database, auto("o-1", MUG=1), shipment("o-1", "f-1", MUG=1))
    await stock(database, MUG=2)

    assert kinds(await told(database)) == ["StockOut", "StockBack"]


async def test_people_cross_thresholds_too(database: Database) -> None:
    await locate(database, depot=0, shop=1)
    await stock_at(database, "shop", MUG=4)

    async with database.write() as session:
        lost = AdjustmentDraft(lines=[DeltaLine(sku="MUG", location="shop", delta=-4)], reason="x")
        await adjust(session, [lost])
    await stock_at(database, "depot", MUG=6)
    await keep(database, "MUG", low=6)
    await keep(database, "MUG", low=6, safety=9)
    await keep(database, "MUG", low=1)
    await switch(database, "depot", active=False)
    await switch(database, "depot", active=True)

    assert kinds(await told(database)) == [
        "StockOut",
        "StockBack",
        "StockLow",
        "StockOut",
        "StockBack",
        "StockOut",
        "StockBack",
    ]


async def test_stock_that_others_brought_meanwhile_is_not_out(database: Database) -> None:
    if database.single_writer:
        pytest.skip("writers of SQLite take turns")
    await locate(database, depot=0, shop=1)
    await stock_at(database, "depot", MUG=1)

    async def bring(session: AsyncSession) -> None:
        await receive(session, [ReceiptDraft(lines=[("MUG", 5)], location="shop")])

    # The order waits for the depot's level, and never saw the shop's: it was not there.
    async with holding(database, bring) as others:
        others.start_soon(decide, database, auto("o-1", MUG=1))
        await blocked(database)

    assert await reserved_orders(database) == ["o-1"]
    assert await told(database) == []
    await decide(database, auto("o-2", MUG=5))
    assert kinds(await told(database)) == ["StockOut"]
    await check_books(database)


async def test_a_threshold_costs_a_statement_more(database: Database) -> None:
    await stock(database, MUG=1, CUP=9)

    with counted(database) as statements:
        await decide(database, request("o-1", MUG=1), request("o-2", CUP=1), request("o-3", MUG=1))

    assert len([one for one in statements if not one.startswith("BEGIN")]) == 8


async def test_no_steps_are_no_work(database: Database) -> None:
    with counted(database) as statements:
        await decide(database)

    assert [one for one in statements if not one.startswith("BEGIN")] == []


async def test_a_level_is_never_fuller_than_can_be_counted(database: Database) -> None:
    await stock(database, MUG=MOST_ON_HAND)

    with pytest.raises(Exception, match="cannot be kept") as refused:
        await stock(database, MUG=1)

    assert getattr(refused.value, "code", None) == "too_much_stock"
    assert await counters(database) == {("MUG", "default"): (MOST_ON_HAND, 0, 0)}


async def test_a_book_knows_only_the_levels_it_locked(database: Database) -> None:
    await stock(database, MUG=2, CUP=2)

    async with database.write() as session:
        book = await Book.open(session, ["MUG", "NEVER_SEEN"])
        assert [book.available(sku) for sku in ("MUG", "NEVER_SEEN", "CUP")] == [2, 0, 0]
        assert book.take("MUG", 2) == [(book.level("MUG", "default"), 2)]
        assert await book.write() == []
        await decide_in(session, [auto("o-1", MUG=2)])

    assert await held(database, "o-1") == [("default", 2)]
    line = ReservedLine(sku="MUG", location="default", quantity=2)
    assert getattr((await answers(database))[0], "lines", None) == (line,)
