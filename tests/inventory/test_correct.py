"""Correcting the books: under the lock, never below what is reserved, never over a lost update."""

from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.errors import AppError
from app.modules.inventory.errors import (
    CountConflictError,
    DuplicateLineError,
    DuplicateReferenceError,
    UnknownLocationError,
    WouldBreakReservationsError,
)
from app.modules.inventory.models.drafts import (
    AdjustmentDraft,
    Corrected,
    CorrectedLine,
    CountDraft,
    CountLine,
    DeltaLine,
)
from app.modules.inventory.models.tables import AdjustmentKind, MovementKind
from app.modules.inventory.service.correct import RESERVATIONS_NAMED, adjust, count
from app.modules.inventory.service.look_up import get_adjustment
from tests.inventory.sample import (
    auto,
    check_books,
    counters,
    decide,
    levels,
    locate,
    movements,
    request,
    reserved_orders,
    stock,
    stock_at,
)
from tests.transactions import Work, at_once, blocked, counted, holding

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


def by(
    reference: str | None = None, location: str = "default", /, **deltas: int
) -> AdjustmentDraft:
    """Return an adjustment by these differences."""
    lines = [DeltaLine(sku=sku, location=location, delta=delta) for sku, delta in deltas.items()]
    return AdjustmentDraft(lines=lines, reason="broken", reference=reference)


def to(sku: str, on_hand: int, expected: int | None, location: str = "default") -> CountDraft:
    """Return a count of one level."""
    line = CountLine(sku=sku, location=location, on_hand=on_hand, expected_on_hand=expected)
    return CountDraft(lines=[line], reason="stocktaking")


async def adjusted(database: Database, *drafts: AdjustmentDraft) -> list[Corrected]:
    async with database.write() as session:
        return await adjust(session, drafts)


async def recounted(database: Database, *drafts: CountDraft) -> list[Corrected]:
    async with database.write() as session:
        return await count(session, drafts)


async def test_an_adjustment_shows_what_it_left(database: Database) -> None:
    await locate(database, attic=1)
    await stock(database, MUG=10, CUP=5)
    await decide(database, auto("o-1", MUG=4))
    lines = [
        DeltaLine(sku="MUG", delta=-5),
        DeltaLine(sku="CUP", delta=2),
        DeltaLine(sku="MUG", delta=-1),
        DeltaLine(sku="JUG", location="attic", delta=3),
    ]
    draft = AdjustmentDraft(lines=lines, reason="broken", reference="A-1")

    [made] = await adjusted(database, draft)

    assert (made.id, made.kind, made.reason) == (draft.id, AdjustmentKind.ADJUST, "broken")
    mug, cup, jug = made.lines
    assert mug == CorrectedLine(
        sku="MUG", location="default", delta=-6, on_hand=4, reserved=4, committed=4
    )
    assert (cup.delta, cup.on_hand) == (2, 7)
    assert (jug.location, jug.on_hand) == ("attic", 3)
    async with database.read() as session:
        assert await get_adjustment(session, draft.id) == made
    ledger = [row for row in await movements(database) if row.adjustment_id == draft.id]
    assert {row.kind for row in ledger} == {MovementKind.ADJUST}
    await check_books(database)


async def test_bug_12_adjusting_below_what_is_reserved_is_refused_with_the_reservations(
    database: Database,
) -> None:
    await stock(database, MUG=30, CUP=1)
    await decide(database, *(request(f"o-{number:02}", MUG=1) for number in range(25)))
    await decide(database, auto("o-99", MUG=3))

    with pytest.raises(WouldBreakReservationsError) as refused:
        await adjusted(database, by(CUP=-1, MUG=-3))

    assert refused.value.extra["lines"] == [
        {
            "sku": "MUG",
            "location": "default",
            "on_hand": 30,
            "reserved": 28,
            "committed": 3,
            "wanted_on_hand": 27,
        }
    ]
    named = refused.value.extra["reservations"]
    assert isinstance(named, Sequence)
    assert len(named) == RESERVATIONS_NAMED
    assert named[0] == {"order_id": "o-99", "sku": "MUG", "location": "default", "quantity": 3}
    assert named[1]["order_id"] == "o-24"
    assert await levels(database) == {"MUG": (30, 28), "CUP": (1, 0)}
    await adjusted(database, by(MUG=-2))
    await check_books(database)


async def test_what_is_not_there_cannot_be_taken_away(database: Database) -> None:
    with pytest.raises(WouldBreakReservationsError):
        await adjusted(database, by(MUG=-1))
    with pytest.raises(WouldBreakReservationsError):
        await recounted(database, to("MUG", -1, None))
    with pytest.raises(UnknownLocationError) as refused:
        await adjusted(database, by(MUG=1), by(None, "nowhere", MUG=1))

    assert refused.value.extra == {"locations": ["nowhere"]}
    assert await counters(database) == {}


async def test_bug_12_count_with_stale_expected_is_refused_with_the_current_value(
    database: Database,
) -> None:
    await stock(database, MUG=10, CUP=5)
    lines = [
        CountLine(sku="CUP", on_hand=4, expected_on_hand=5),
        CountLine(sku="MUG", on_hand=9, expected_on_hand=8),
        CountLine(sku="NEW", on_hand=1, expected_on_hand=1),
    ]

    with pytest.raises(CountConflictError) as refused:
        await recounted(database, CountDraft(lines=lines, reason="stocktaking"))

    mug = {"sku": "MUG", "location": "default", "expected_on_hand": 8, "on_hand": 10}
    new = {"sku": "NEW", "location": "default", "expected_on_hand": 1, "on_hand": 0}
    assert refused.value.extra == {"lines": [mug, new]}
    assert await levels(database) == {"MUG": (10, 0), "CUP": (5, 0)}


async def test_a_count_sets_what_is_on_hand(database: Database) -> None:
    await stock(database, MUG=10)
    await decide(database, auto("o-1", MUG=4))

    [one, two, three] = await recounted(
        database, to("MUG", 12, 10), to("MUG", 4, None), to("NEW", 7, 0)
    )

    assert [made.lines[0].delta for made in (one, two, three)] == [2, -8, 7]
    assert [made.kind for made in (one, two, three)] == [AdjustmentKind.COUNT] * 3
    assert await levels(database) == {"MUG": (4, 4), "NEW": (7, 0)}
    with pytest.raises(WouldBreakReservationsError):
        await recounted(database, to("MUG", 3, 4))
    # That the books are right is worth a row of the ledger too.
    [right] = await recounted(database, to("MUG", 4, 4))
    assert right.lines[0].delta == 0
    assert (await movements(database))[-1].adjustment_id == right.id
    await check_books(database)


async def test_a_count_cannot_mean_two_numbers(database: Database) -> None:
    line = CountLine(sku="MUG", on_hand=1, expected_on_hand=None)

    with pytest.raises(DuplicateLineError) as refused:
        await recounted(database, CountDraft(lines=[line, line], reason="stocktaking"))

    assert refused.value.extra == {"lines": [{"sku": "MUG", "location": "default"}]}


async def test_a_reference_is_booked_once(database: Database) -> None:
    first = by("A-1", MUG=1)
    await adjusted(database, first)

    with pytest.raises(DuplicateReferenceError) as refused:
        await adjusted(database, by(MUG=5), by("A-1", MUG=1))

    assert refused.value.extra == {"existing_id": first.id}
    assert await levels(database) == {"MUG": (1, 0)}


async def test_five_hundred_lines_cost_five_statements(database: Database) -> None:
    units = {f"SKU-{number:03}": 2 for number in range(500)}

    with counted(database) as statements:
        await adjusted(database, by(**units))

    assert len([one for one in statements if not one.startswith("BEGIN")]) == 5
    with counted(database) as statements:
        await adjusted(database, by(**dict.fromkeys(units, -2)))
    # All are out now: what they are is read again, and told.
    assert len([one for one in statements if not one.startswith("BEGIN")]) == 7
    assert await adjusted(database) == []
    await check_books(database)


async def test_r9_adjusting_and_reserving_wait_for_one_another(database: Database) -> None:
    await stock(database, MUG=1)

    async def lose(session: AsyncSession) -> None:
        await adjust(session, [by(MUG=-1)])

    async with holding(database, lose) as others:
        others.start_soon(decide, database, auto("o-1", MUG=1))
        await blocked(database)

    # The row's lock decided, not its CHECK: the order was short, and nobody saw an error.
    assert await reserved_orders(database) == []
    assert await levels(database) == {"MUG": (0, 0)}
    await check_books(database)


async def test_bug_12_counts_and_sales_at_the_same_time_keep_the_books(database: Database) -> None:
    await locate(database, attic=1)
    await stock(database, A=85, B=85, C=85)
    await stock_at(database, "attic", A=5, B=5, C=5)
    refused: list[str] = []

    async def tried(work: Work) -> None:
        try:
            async with database.write() as session:
                await work(session)
        except AppError as error:
            refused.append(error.code)

    async def look_then_count(sku: str, delta: int) -> None:
        on_hand = (await counters(database))[(sku, "default")][0]
        await tried(partial(count, drafts=[to(sku, on_hand + delta, on_hand)]))

    orders = [auto(f"o-{number:02}", C=2, A=1, B=1) for number in range(24)]
    await at_once(
        database,
        *(partial(decide, database, one) for one in orders),
        *(partial(look_then_count, sku, 1) for sku in "CABACB"),
        *(partial(tried, partial(adjust, drafts=[by(B=-1, A=2, C=-1)])) for _ in range(8)),
        *(partial(stock, database, C=1, B=1) for _ in range(4)),
    )

    await check_books(database)
    counts = [row for row in await movements(database) if row.kind == MovementKind.COUNT]
    # Every count that was taken added its one unit to what the books said that moment.
    assert {row.d_on_hand for row in counts} <= {1}
    assert len(counts) + len(refused) == 6
    assert set(refused) <= {"count_conflict"}
    on_hand = {sku: units for sku, (units, _) in (await levels(database)).items()}
    found = {sku: sum(row.sku == sku for row in counts) for sku in "ABC"}
    assert on_hand == {
        "A": 90 + 16 + found["A"],
        "B": 90 - 8 + 4 + found["B"],
        "C": 90 - 8 + 4 + found["C"],
    }
