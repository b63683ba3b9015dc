"""Receiving goods: what came in is on hand at once."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, String, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import now, rows, upsert
from app.modules.inventory.errors import DuplicateReferenceError
from app.modules.inventory.models import (
    DEFAULT_LOCATION,
    MovementKind,
    Receipt,
    ReceiptDraft,
    Received,
    receipts,
    stock_levels,
)
from app.modules.inventory.service.ledger import Movement, merged, record


async def receive(session: AsyncSession, drafts: Sequence[ReceiptDraft]) -> list[Received]:
    """Book goods into the default location, and return the receipts.

    All or none: raises DuplicateReferenceError for the whole sequence. A SKU needs no product to
    be received. Three statements, however many drafts and lines there are.
    """
    if not drafts:
        return []
    created = await _insert_receipts(session, drafts)
    received = [
        Received(
            id=draft.id,
            reference=draft.reference,
            created_at=created[draft.id],
            units=merged(draft.lines),
        )
        for draft in drafts
    ]
    await record(session, await _add(session, received))
    return received


async def _insert_receipts(
    session: AsyncSession, drafts: Sequence[ReceiptDraft]
) -> dict[str, datetime]:
    """Insert the receipts and return their creation times by id."""
    # References are locked in one order, so that two batches that share some cannot deadlock.
    ordered = sorted(drafts, key=lambda draft: (draft.reference or "", draft.id))
    given = rows(
        session,
        id=(String(), [draft.id for draft in ordered]),
        reference=(String(), [draft.reference for draft in ordered]),
    )
    inserted = await session.execute(
        upsert(session, receipts)
        .from_select(
            given.c.keys(),
            select(given).where(
                given.c.id.is_not(None)  # without a WHERE, SQLite takes ON for a join's
            ),
        )
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(receipts.c.id, receipts.c.created_at)
    )
    created: dict[str, datetime] = {row.id: row.created_at for row in inserted}
    for draft in drafts:
        if draft.id not in created:
            existing = await session.scalar(
                select(Receipt.id).where(Receipt.reference == draft.reference)
            )
            detail = f"Receipt {existing} already carries this reference."
            raise DuplicateReferenceError(detail, existing_id=existing)
    return created


async def _add(session: AsyncSession, received: Sequence[Received]) -> list[Movement]:
    """Add the units to the levels, and return the movements, receipt by receipt."""
    total: Counter[str] = Counter()
    for receipt in received:
        total.update(receipt.units)
    # Sorted: the rows are locked one by one as the statement meets them.
    skus = sorted(total)
    given = rows(
        session,
        sku=(String(), skus),
        on_hand=(BigInteger(), [total[sku] for sku in skus]),
    )
    zero = literal(0, BigInteger())
    start = upsert(session, stock_levels).from_select(
        [*given.c.keys(), "location", "reserved", "version"],
        select(given, literal(DEFAULT_LOCATION, String()), zero, zero + 1).where(
            given.c.sku.is_not(None)  # without a WHERE, SQLite takes ON for a join's
        ),
    )
    after = await session.execute(
        start.on_conflict_do_update(
            index_elements=["sku", "location"],
            set_={
                "on_hand": stock_levels.c.on_hand + start.excluded.on_hand,
                "version": stock_levels.c.version + 1,
                "updated_at": now(),
            },
        ).returning(stock_levels.c.sku, stock_levels.c.on_hand, stock_levels.c.reserved)
    )
    counters = {sku: (on_hand, reserved) for sku, on_hand, reserved in after}
    before = {sku: counters[sku][0] - total[sku] for sku in skus}
    movements: list[Movement] = []
    for receipt in received:
        for sku, quantity in receipt.units.items():
            before[sku] += quantity
            movements.append(
                Movement(
                    sku=sku,
                    kind=MovementKind.RECEIVE,
                    d_on_hand=quantity,
                    on_hand_after=before[sku],
                    reserved_after=counters[sku][1],
                    receipt_id=receipt.id,
                )
            )
    return movements
