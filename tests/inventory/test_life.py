"""The life of an order's stock: held, promised, released, issued; late and twice change nothing."""

from collections.abc import Callable, Sequence

import pytest

from app.db import Database
from app.modules.inventory.events import (
    ReservedLine,
    StockIssued,
    StockIssueVoided,
    StockReleased,
)
from app.modules.inventory.models.tables import MovementKind, ReservationState
from app.modules.inventory.service.steps import Release, Step
from tests.inventory.sample import (
    auto,
    cancelled,
    check_books,
    confirmed,
    counters,
    decide,
    expired,
    levels,
    locate,
    movements,
    request,
    reserved_orders,
    said,
    shipment,
    state,
    stock,
    stock_at,
    stopped,
)

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)

MUG = ("MUG", "default")


async def booked(database: Database) -> list[tuple[str, int, int, int]]:
    """Return what orders did to the ledger: kind and the differences, oldest first."""
    return [
        (row.kind, row.d_on_hand, row.d_reserved, row.d_committed)
        for row in await movements(database)
        if row.order_id is not None
    ]


async def test_an_order_that_confirms_itself_is_promised_at_once(database: Database) -> None:
    await stock(database, MUG=10)
    await decide(database, auto("o-1", MUG=4))

    await decide(database, confirmed("o-1"))

    assert await counters(database) == {MUG: (10, 4, 4)}
    assert await state(database, "o-1") is ReservationState.COMMITTED
    assert await booked(database) == [(MovementKind.RESERVE, 0, 4, 4)]
    await check_books(database)


async def test_what_is_held_is_promised_once(database: Database) -> None:
    await stock(database, MUG=10)
    await decide(database, request("o-1", MUG=4))
    assert await counters(database) == {MUG: (10, 4, 0)}

    await decide(database, confirmed("o-1"))
    await decide(database, confirmed("o-1"), confirmed("o-1"))

    assert await counters(database) == {MUG: (10, 4, 4)}
    assert await booked(database) == [
        (MovementKind.RESERVE, 0, 4, 0),
        (MovementKind.COMMIT, 0, 0, 4),
    ]
    assert len(await said(database)) == 1
    await check_books(database)


@pytest.mark.parametrize("exit_", [cancelled, expired])
@pytest.mark.parametrize("promised", [False, True])
async def test_bug_4_every_exit_releases(
    database: Database,
    exit_: Callable[[str], Release],
    promised: bool,  # noqa: FBT001 - both are tried
) -> None:
    await stock(database, MUG=10, CUP=5)
    ask = auto if promised else request
    await decide(database, ask("o-1", MUG=4, CUP=5), ask("o-2", MUG=1))
    off = exit_("o-1")

    await decide(database, off)
    await decide(database, off, exit_("o-1"), confirmed("o-1"))

    assert await levels(database) == {"MUG": (10, 1), "CUP": (5, 0)}
    assert await state(database, "o-1") is ReservationState.RELEASED
    [released] = await said(database, StockReleased)
    assert isinstance(released, StockReleased)
    assert (released.order_id, released.reason) == ("o-1", off.reason)
    assert set(released.lines) == {
        ReservedLine(sku="MUG", location="default", quantity=4),
        ReservedLine(sku="CUP", location="default", quantity=5),
    }
    await check_books(database)


async def test_r1_cancel_before_reserve_leaves_a_tombstone(database: Database) -> None:
    await stock(database, MUG=10)

    await decide(database, cancelled("o-1"))
    await decide(database, auto("o-1", MUG=4), cancelled("o-1"))
    await decide(database, expired("o-2"), request("o-2", MUG=4), confirmed("o-2"))

    assert await levels(database) == {"MUG": (10, 0)}
    assert await state(database, "o-1") is await state(database, "o-2") is ReservationState.VOID
    released = await said(database)
    assert all(isinstance(one, StockReleased) and one.lines == () for one in released)
    assert [one.subject for one in released] == ["o-1", "o-2"]
    assert await booked(database) == []


async def test_created_and_cancelled_in_one_batch_nets_to_nothing(database: Database) -> None:
    await stock(database, MUG=10)

    await decide(
        database,
        auto("o-1", MUG=10),
        auto("o-2", MUG=1),
        cancelled("o-1"),
        auto("o-3", MUG=10),
    )

    # As if each had come alone: o-2 came while o-1 had all, o-3 when all was there again.
    assert await counters(database) == {MUG: (10, 10, 10)}
    assert await reserved_orders(database) == ["o-1", "o-3"]
    assert await state(database, "o-2") is ReservationState.REJECTED
    await check_books(database)


async def test_there_is_nothing_to_give_back_of_an_order_that_was_short(database: Database) -> None:
    await stock(database, MUG=1)
    await decide(database, auto("o-1", MUG=2))

    await decide(database, confirmed("o-1"), cancelled("o-1"))

    assert await state(database, "o-1") is ReservationState.REJECTED
    assert len(await said(database)) == 1
    await check_books(database)


async def test_units_leave_the_house_part_by_part(database: Database) -> None:
    await stock(database, MUG=10, CUP=5)
    await decide(database, auto("o-1", MUG=4, CUP=2))

    await decide(database, shipment("o-1", "f-1", MUG=3))
    assert await levels(database) == {"MUG": (7, 1), "CUP": (5, 2)}
    assert await state(database, "o-1") is ReservationState.COMMITTED
    await check_books(database)

    await decide(database, shipment("o-1", "f-2", MUG=1, CUP=2))
    assert await counters(database) == {MUG: (6, 0, 0), ("CUP", "default"): (3, 0, 0)}
    assert await state(database, "o-1") is ReservationState.CONSUMED
    await check_books(database)

    issued = [one for one in await said(database, StockIssued) if isinstance(one, StockIssued)]
    assert [one.fulfillment_id for one in issued] == ["f-1", "f-2"]
    assert issued[0].lines == (ReservedLine(sku="MUG", location="default", quantity=3),)
    assert {row.fulfillment_id for row in await movements(database) if row.kind == "issue"} == {
        "f-1",
        "f-2",
    }


async def test_a_shipment_leaves_once(database: Database) -> None:
    await stock(database, MUG=10)
    await decide(database, auto("o-1", MUG=4))
    leaving = shipment("o-1", "f-1", MUG=2)

    await decide(database, leaving, leaving)
    await decide(database, leaving, stopped("o-1", "f-1"))

    assert await levels(database) == {"MUG": (8, 2)}
    assert len(await said(database, StockIssued, StockIssueVoided)) == 1
    await check_books(database)


async def test_a_shipment_that_overtakes_its_confirmation_promises_on_its_way(
    database: Database,
) -> None:
    await stock(database, MUG=10)
    await decide(database, request("o-1", MUG=4))

    await decide(database, shipment("o-1", "f-1", MUG=1))
    await decide(database, confirmed("o-1"))

    assert await counters(database) == {MUG: (9, 3, 3)}
    kinds = [MovementKind.RESERVE, MovementKind.COMMIT, MovementKind.ISSUE]
    assert [kind for kind, *_ in await booked(database)] == kinds
    await check_books(database)


async def test_r10_a_shipment_cancelled_before_it_leaves_keeps_what_is_reserved(
    database: Database,
) -> None:
    await stock(database, MUG=4)
    await decide(database, auto("o-1", MUG=4))

    await decide(database, stopped("o-1", "f-1"))
    await decide(database, stopped("o-1", "f-1"), shipment("o-1", "f-1", MUG=4))
    assert await counters(database) == {MUG: (4, 4, 4)}

    await decide(database, shipment("o-1", "f-2", MUG=4), stopped("o-1", "f-2"))
    assert await counters(database) == {MUG: (0, 0, 0)}
    answered = await said(database, StockIssueVoided, StockIssued)
    assert [type(one) for one in answered] == [StockIssueVoided, StockIssued]
    assert isinstance(answered[0], StockIssueVoided)
    assert (answered[0].fulfillment_id, answered[0].reason) == ("f-1", "cancelled")
    await check_books(database)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [auto("o-1", MUG=99)],
        [auto("o-1", MUG=4), cancelled("o-1")],
        [cancelled("o-1")],
        [auto("o-1", MUG=4), shipment("o-1", "f-0", MUG=4)],
        [auto("o-1", MUG=4), shipment("o-1", "f-0", MUG=3)],
        [auto("o-1", CUP=4)],
    ],
    ids=["unknown", "rejected", "released", "void", "consumed", "too few left", "other goods"],
)
async def test_what_is_not_held_cannot_leave(database: Database, before: Sequence[Step]) -> None:
    await stock(database, MUG=10, CUP=10)
    await decide(database, *before)
    books = await counters(database)

    leaving = shipment("o-1", "f-1", CUP=1, MUG=2)
    await decide(database, leaving)
    await decide(database, leaving)

    assert await counters(database) == books
    [voided] = await said(database, StockIssueVoided)
    assert isinstance(voided, StockIssueVoided)
    assert (voided.fulfillment_id, voided.reason) == ("f-1", "not_held")
    await check_books(database)


async def test_units_leave_from_where_they_were_taken(database: Database) -> None:
    await locate(database, near=0, far=9)
    await stock_at(database, "near", MUG=3)
    await stock_at(database, "far", MUG=9)
    await decide(database, auto("o-1", MUG=5), auto("o-2", MUG=1))

    await decide(database, shipment("o-1", "f-1", MUG=4), cancelled("o-2"))

    assert await counters(database) == {("MUG", "far"): (8, 1, 1), ("MUG", "near"): (0, 0, 0)}
    [issued] = await said(database, StockIssued)
    assert isinstance(issued, StockIssued)
    assert issued.lines == (
        ReservedLine(sku="MUG", location="near", quantity=3),
        ReservedLine(sku="MUG", location="far", quantity=1),
    )
    await check_books(database)


async def test_each_answer_names_its_own_cause(database: Database) -> None:
    await stock(database, MUG=10)
    steps: list[Step] = [
        auto("o-1", MUG=1),
        cancelled("o-2"),
        shipment("o-1", "f-1", MUG=1),
        stopped("o-1", "f-2"),
    ]

    await decide(database, *steps)

    causes = [one.consequence().correlation_id for one in await said(database)]
    assert causes == [str(step.cause.id) for step in steps]
    reserve, issue = [row for row in await movements(database) if row.order_id]
    assert (reserve.event_id, issue.event_id) == (steps[0].cause.id, steps[2].cause.id)
