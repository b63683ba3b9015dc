"""Receiving: on hand at once, once per reference, every unit in the ledger."""

from functools import partial

import pytest

from app.db import Database
from app.modules.inventory.errors import DuplicateReferenceError
from app.modules.inventory.models.drafts import ReceiptDraft
from app.modules.inventory.service.look_up import get_receipt
from app.modules.inventory.service.receive import receive
from tests.inventory.sample import (
    check_books,
    decide,
    levels,
    movements,
    request,
    stock,
)
from tests.transactions import at_once, counted


async def test_what_is_received_is_on_hand(database: Database) -> None:
    await stock(database, MUG=40)
    await decide(database, request("o-1", MUG=3))
    await stock(database, MUG=2, CUP=1)

    assert await levels(database) == {"MUG": (42, 3), "CUP": (1, 0)}
    await check_books(database)


async def test_a_sku_that_comes_twice_is_booked_once(database: Database) -> None:
    draft = ReceiptDraft(lines=[("MUG", 6), ("CUP", 1), ("MUG", 6)])

    async with database.write() as session:
        [received] = await receive(session, [draft])

    assert received.units == {"MUG": 12, "CUP": 1}
    assert await levels(database) == {"MUG": (12, 0), "CUP": (1, 0)}
    assert len(await movements(database)) == 2


async def test_a_batch_of_receipts_books_each_for_itself(database: Database) -> None:
    drafts = [
        ReceiptDraft(lines=[("MUG", units)], reference=f"PO-{units}", actor=f"key_{units}")
        for units in (3, 1, 2)
    ]

    async with database.write() as session:
        received = await receive(session, drafts)

    assert [one.reference for one in received] == ["PO-3", "PO-1", "PO-2"]
    async with database.read() as session:
        kept = [await get_receipt(session, draft.id) for draft in drafts]
    assert kept == received
    assert [one.actor for one in kept] == ["key_3", "key_1", "key_2"]
    assert all(one.created_at.tzinfo for one in received)
    booked = [(row.receipt_id, row.on_hand_after) for row in await movements(database)]
    assert booked == [(drafts[0].id, 3), (drafts[1].id, 4), (drafts[2].id, 6)]
    await check_books(database)


async def test_a_reference_is_received_once(database: Database) -> None:
    first = ReceiptDraft(lines=[("MUG", 1)], reference="PO-7")
    async with database.write() as session:
        await receive(session, [first])

    with pytest.raises(DuplicateReferenceError) as refused:
        async with database.write() as session:
            await receive(
                session,
                [
                    ReceiptDraft(lines=[("MUG", 5)]),
                    ReceiptDraft(lines=[("MUG", 1)], reference="PO-7"),
                ],
            )

    assert refused.value.extra == {"existing_id": first.id}
    assert await levels(database) == {"MUG": (1, 0)}


async def test_a_reference_twice_in_one_batch_is_refused(database: Database) -> None:
    drafts = [ReceiptDraft(lines=[("MUG", 1)], reference="PO-7") for _ in range(2)]

    with pytest.raises(DuplicateReferenceError):
        async with database.write() as session:
            await receive(session, drafts)

    assert await levels(database) == {}


async def test_receipts_without_a_reference_are_all_different(database: Database) -> None:
    await stock(database, MUG=1)
    await stock(database, MUG=1)

    assert await levels(database) == {"MUG": (2, 0)}


async def test_a_new_sku_received_by_many_at_once_counts_every_unit(database: Database) -> None:
    await at_once(
        database,
        *(partial(stock, database, **{"NEW-1": 1, "NEW-2": 1}) for _ in range(10)),
        *(partial(stock, database, **{"NEW-2": 1, "NEW-1": 1}) for _ in range(10)),
    )

    assert await levels(database) == {"NEW-1": (20, 0), "NEW-2": (20, 0)}
    await check_books(database)


async def test_the_same_references_from_many_at_once_are_received_once(
    database: Database,
) -> None:
    refused: list[str] = []

    async def try_it(*references: str) -> None:
        drafts = [ReceiptDraft(lines=[("MUG", 1)], reference=one) for one in references]
        try:
            async with database.write() as session:
                await receive(session, drafts)
        except DuplicateReferenceError as error:
            refused.append(error.code)

    names = [f"PO-{number:02}" for number in range(30)]
    await at_once(
        database,
        *(partial(try_it, *names) for _ in range(8)),
        *(partial(try_it, *names[::-1]) for _ in range(8)),
    )

    assert refused == ["duplicate_reference"] * 15
    assert await levels(database) == {"MUG": (30, 0)}


async def test_a_thousand_lines_cost_five_statements(database: Database) -> None:
    units = {f"SKU-{number:04}": 1 for number in range(1000)}

    with counted(database) as statements:
        await stock(database, **units)

    assert len([one for one in statements if not one.startswith("BEGIN")]) == 5
    assert len(await levels(database)) == 1000


async def test_no_receipts_are_no_work(database: Database) -> None:
    async with database.write() as session:
        assert await receive(session, []) == []
