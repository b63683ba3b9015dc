"""Locks of inventory: each kind in key order, and one decision per order."""

from functools import partial

import anyio
import pytest

from app.db import Database
from app.modules.inventory.models.drafts import AdjustmentDraft, DeltaLine, ReceiptDraft
from app.modules.inventory.service import decide as deciding
from app.modules.inventory.service.correct import adjust
from app.modules.inventory.service.receive import receive
from app.modules.inventory.service.steps import Step
from tests.inventory.sample import (
    answers,
    check_books,
    confirmed,
    counters,
    decide,
    levels,
    request,
    said,
    stock,
    stopped,
)
from tests.transactions import Work, blocked, check_lock_order, holding

pytestmark = pytest.mark.every_postgres


def reserving(**orders: dict[str, int]) -> Work:
    """Reserve for these orders, in the sequence given."""
    requests = [request(order_id, **lines) for order_id, lines in orders.items()]
    return partial(deciding.decide, steps=requests)


def taking(*steps: Step) -> Work:
    """Take these steps, in the sequence given."""
    return partial(deciding.decide, steps=steps)


def adjusting(*skus: str) -> Work:
    """Find one more of each of these, in the sequence given."""
    lines = [DeltaLine(sku=sku, delta=1) for sku in skus]
    return partial(adjust, drafts=[AdjustmentDraft(lines=lines, reason="found")])


def receiving(*units: tuple[str, int]) -> Work:
    """Receive these units in one receipt."""
    return partial(receive, drafts=[ReceiptDraft(lines=units)])


def referring(*references: str) -> Work:
    """Receive something under each reference, in the sequence given."""
    drafts = [ReceiptDraft(lines=[(f"SKU-{one}", 1)], reference=one) for one in references]
    return partial(receive, drafts=drafts)


async def test_reservations_are_claimed_in_order(database: Database) -> None:
    await check_lock_order(
        database,
        reserving(o_1={"A": 1}),
        reserving(o_2={"B": 1}, o_1={"A": 1}),
        reserving(o_2={"B": 1}),
    )

    assert len(await answers(database)) == 2


async def test_stock_is_reserved_in_order(database: Database) -> None:
    # Stored against the order, so that reading the table as it lies would not do.
    await stock(database, B=9)
    await stock(database, A=9)

    await check_lock_order(
        database,
        reserving(o_1={"A": 1}),
        reserving(o_2={"B": 1, "A": 1}),
        reserving(o_3={"B": 1}),
    )

    assert await levels(database) == {"A": (9, 2), "B": (9, 2)}
    await check_books(database)


async def test_known_reservations_are_locked_in_order(database: Database) -> None:
    await stock(database, MUG=9, CUP=9)
    # Stored against the order, so that reading the table as it lies would not do.
    await decide(database, request("o_2", CUP=1))
    await decide(database, request("o_1", MUG=1))

    await check_lock_order(
        database,
        taking(confirmed("o_1")),
        taking(confirmed("o_2"), confirmed("o_1")),
        taking(confirmed("o_2")),
    )

    assert set((await counters(database)).values()) == {(9, 1, 1)}
    await check_books(database)


async def test_fulfillments_are_claimed_in_order(database: Database) -> None:
    await check_lock_order(
        database,
        taking(stopped("o_1", "f_1")),
        taking(stopped("o_1", "f_2"), stopped("o_1", "f_1")),
        taking(stopped("o_1", "f_2")),
    )

    assert len(await said(database)) == 2


async def test_stock_is_adjusted_in_order(database: Database) -> None:
    await stock(database, B=9)
    await stock(database, A=9)

    await check_lock_order(database, adjusting("A"), adjusting("B", "A"), adjusting("B"))

    assert await levels(database) == {"A": (11, 0), "B": (11, 0)}
    await check_books(database)


async def test_stock_is_received_in_order(database: Database) -> None:
    await check_lock_order(
        database, receiving(("A", 1)), receiving(("B", 1), ("A", 1)), receiving(("B", 1))
    )

    assert await levels(database) == {"A": (2, 0), "B": (2, 0)}
    await check_books(database)


async def test_references_are_taken_in_order(database: Database) -> None:
    await check_lock_order(database, referring("R-1"), referring("R-2", "R-1"), referring("R-2"))

    assert await levels(database) == {"SKU-R-1": (1, 0), "SKU-R-2": (1, 0)}


async def test_a_request_waits_for_the_units_another_is_taking(database: Database) -> None:
    await stock(database, MUG=1)

    async with holding(database, reserving(o_1={"MUG": 1})) as others:
        others.start_soon(decide, database, request("o_2", MUG=1))
        await blocked(database)

    assert [one.order_id for one in await answers(database)] == ["o_1", "o_2"]
    assert await levels(database) == {"MUG": (1, 1)}
    await check_books(database)


async def test_a_twin_waits_for_the_decision_and_then_leaves_it_alone(database: Database) -> None:
    await stock(database, MUG=9)
    twin = request("o_1", MUG=1)

    async with holding(database, reserving(o_1={"MUG": 1})) as others:
        others.start_soon(decide, database, twin)
        await blocked(database)

    assert len(await answers(database)) == 1
    assert await levels(database) == {"MUG": (9, 1)}


async def test_a_twin_decides_when_the_first_rolls_back(database: Database) -> None:
    await stock(database, MUG=9)

    async def fail(first: Work, decided: anyio.Event, may_fail: anyio.Event) -> None:
        try:
            async with database.write() as session:
                await first(session)
                decided.set()
                await may_fail.wait()
                _ = 1 // 0
        except ZeroDivisionError:
            pass

    decided, may_fail = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as both:
        both.start_soon(fail, reserving(o_1={"MUG": 1}), decided, may_fail)
        await decided.wait()
        both.start_soon(decide, database, request("o_1", MUG=1))
        await blocked(database)
        may_fail.set()

    assert len(await answers(database)) == 1
    assert await levels(database) == {"MUG": (9, 1)}
    await check_books(database)
