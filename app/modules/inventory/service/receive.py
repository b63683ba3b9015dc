"""Receiving goods: what came in is on hand at once."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.modules.inventory.models.drafts import ReceiptDraft, Received
from app.modules.inventory.models.tables import MovementKind, receipts
from app.modules.inventory.service.book import Book, Why
from app.modules.inventory.service.papers import file
from app.modules.inventory.service.steps import merged


async def receive(session: AsyncSession, drafts: Sequence[ReceiptDraft]) -> list[Received]:
    """Book goods into their locations, and return the receipts.

    All or none: raises DuplicateReferenceError, UnknownLocationError or TooMuchStockError for the
    whole sequence. A SKU needs no product to be received, and a location need not be active. Five
    statements, however many drafts and lines there are; two more when a SKU crossed a threshold.
    """
    if not drafts:
        return []
    created = await file(session, receipts, drafts)
    received = [
        Received(
            id=draft.id,
            reference=draft.reference,
            actor=draft.actor,
            location=draft.location,
            created_at=created[draft.id],
            units=merged(draft.lines),
        )
        for draft in drafts
    ]
    needed = dict.fromkeys((sku, one.location) for one in received for sku in one.units)
    book = await Book.open(session, [sku for sku, _ in needed], needed=needed)
    for receipt in received:
        why = Why(MovementKind.RECEIVE, receipt_id=receipt.id)
        for sku, quantity in receipt.units.items():
            book.move(book.level(sku, receipt.location), why, on_hand=quantity)
    await publish(session, *await book.write())
    return received
