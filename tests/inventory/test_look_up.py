"""Reading: what can be promised, who holds what, what was booked, and whether it all adds up."""

import pytest
from sqlalchemy import text

from app.db import Database
from app.modules.inventory.errors import (
    AdjustmentNotFoundError,
    ReceiptNotFoundError,
    ReservationNotFoundError,
)
from app.modules.inventory.models.drafts import Availability, Counters, HeldLine, ReceiptDraft
from app.modules.inventory.models.tables import MovementKind, ReservationState
from app.modules.inventory.service.drift import check_drift
from app.modules.inventory.service.look_up import (
    get_adjustment,
    get_receipt,
    get_reservation,
    list_reservations,
)
from app.modules.inventory.service.read import availability, list_levels, list_movements
from app.modules.inventory.service.receive import receive
from tests.inventory.sample import (
    auto,
    cancelled,
    decide,
    keep,
    locate,
    request,
    shipment,
    stock,
    stock_at,
    switch,
)

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


async def test_availability_is_what_an_order_would_find(database: Database) -> None:
    await locate(database, depot=0, closed=1)
    await stock_at(database, "depot", MUG=5, CUP=1)
    await stock(database, MUG=5)
    await stock_at(database, "closed", MUG=50)
    await switch(database, "closed", active=False)
    await decide(database, auto("o-1", MUG=3, CUP=1))
    await keep(database, "MUG", safety=2, low=5)

    async with database.read() as session:
        found = await availability(session, ["NEVER_SEEN", "MUG", "CUP"])
        assert await availability(session, []) == []

    never, mug, cup = found
    assert never == Availability(sku="NEVER_SEEN")
    assert mug == Availability(sku="MUG", on_hand=10, reserved=3, safety_stock=2, low_stock_at=5)
    assert [(one.available, one.low) for one in found] == [(0, True), (5, True), (0, True)]
    assert (cup.on_hand, cup.reserved) == (1, 1)


async def test_levels_and_movements_are_filtered(database: Database) -> None:
    await locate(database, attic=1)
    await stock(database, MUG=5, CUP=5)
    await stock_at(database, "attic", MUG=5)
    await keep(database, "CUP", safety=2, low=3)
    await decide(database, auto("o-1", MUG=6), cancelled("o-1"))

    async with database.read() as session:
        low = await list_levels(session, low=True, after=None, limit=9)
        attic = await list_levels(session, location="attic", after=None, limit=9)
        moved = await list_movements(session, order_id="o-1", before=None, limit=9)
        kinds = [MovementKind.RELEASE, MovementKind.RECEIVE]
        there = await list_movements(
            session, location="attic", sku="MUG", kinds=kinds, before=None, limit=9
        )
        older = await list_movements(session, before=there[-1].id, limit=1)

    assert [one.sku for one in low] == ["CUP"]
    assert [(one.sku, one.location) for one in attic] == [("MUG", "attic")]
    assert [(row.kind, row.location) for row in moved] == [
        ("release", "attic"),
        ("release", "default"),
        ("reserve", "attic"),
        ("reserve", "default"),
    ]
    assert [row.kind for row in there] == ["release", "receive"]
    assert (older[0].kind, older[0].location) == ("receive", "default")


async def test_a_reservation_shows_what_it_holds_and_what_left(database: Database) -> None:
    await stock(database, MUG=9, CUP=9)
    await decide(database, auto("o-1", MUG=4, CUP=1), request("o-2", MUG=2), auto("o-3", MUG=99))
    await decide(database, shipment("o-1", "f-1", MUG=3), cancelled("o-4"))

    async with database.read() as session:
        one = await get_reservation(session, "o-1")
        with pytest.raises(ReservationNotFoundError):
            await get_reservation(session, "o-9")
        newest = await list_reservations(session, before=None, limit=2)
        rest = await list_reservations(session, before=newest[-1].order_id, limit=9)
        mugs = await list_reservations(session, sku="MUG", before=None, limit=9)
        states = [ReservationState.COMMITTED, ReservationState.VOID]
        some = await list_reservations(session, states=states, before=None, limit=9)

    assert (one.state, one.version) == (ReservationState.COMMITTED, 1)
    assert one.lines == [
        HeldLine(sku="CUP", location="default", quantity=1, issued=0),
        HeldLine(sku="MUG", location="default", quantity=4, issued=3),
    ]
    assert [held.order_id for held in newest + rest] == ["o-4", "o-3", "o-2", "o-1"]
    assert [held.order_id for held in mugs] == ["o-2", "o-1"]
    assert [held.order_id for held in some] == ["o-4", "o-1"]


async def test_a_receipt_is_found_again(database: Database) -> None:
    await locate(database, attic=1)
    draft = ReceiptDraft(lines=[("MUG", 2), ("CUP", 1)], location="attic", reference="PO-7")
    async with database.write() as session:
        [received] = await receive(session, [draft])

    async with database.read() as session:
        assert await get_receipt(session, draft.id) == received
        with pytest.raises(ReceiptNotFoundError):
            await get_receipt(session, "rcp_none")
        with pytest.raises(AdjustmentNotFoundError):
            await get_adjustment(session, "adj_none")


async def test_drift_is_found_whichever_side_lies(database: Database) -> None:
    await stock(database, MUG=9, CUP=9, JUG=9)
    await decide(database, auto("o-1", MUG=4), request("o-2", CUP=2), cancelled("o-3"))
    async with database.read() as session:
        clean = await check_drift(session)
    assert (clean.levels, clean.drifts) == (3, [])

    async with database.write() as session:
        for change in (
            "UPDATE stock_levels SET on_hand = 8 WHERE sku = 'JUG'",
            "UPDATE reservation_lines SET quantity = 1 WHERE sku = 'CUP'",
            "UPDATE reservations SET state = 'held' WHERE order_id = 'o-1'",
        ):
            await session.execute(text(change))

    async with database.read() as session:
        cup, jug, mug = (await check_drift(session)).drifts
    assert (cup.sku, cup.location) == ("CUP", "default")
    assert cup.counters == cup.ledger == Counters(on_hand=9, reserved=2, committed=0)
    assert cup.reservations == Counters(on_hand=9, reserved=1, committed=0)
    assert (jug.counters.on_hand, jug.ledger.on_hand) == (8, 9)
    assert (mug.counters.committed, mug.reservations.committed) == (4, 0)
