"""Papers: receipts and adjustments, each booked once under its reference."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, Table, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus.sql import rows, upsert
from app.modules.inventory.errors import DuplicateReferenceError
from app.modules.inventory.models.drafts import AdjustmentDraft, CountDraft, ReceiptDraft

Draft = ReceiptDraft | AdjustmentDraft | CountDraft
Column = tuple[TypeEngine[Any], list[Any]]


async def file(
    session: AsyncSession, table: Table, drafts: Sequence[Draft], *more: str
) -> dict[str, datetime]:
    """Insert a paper for each draft, and return their creation times by id: one statement.

    more are columns that not every paper has, by the name the draft has for them.
    Raises DuplicateReferenceError.
    """
    # References are locked in one order, so that two batches that share some cannot deadlock.
    ordered = sorted(drafts, key=lambda draft: (draft.reference or "", draft.id))
    columns: dict[str, Column] = {
        name: (String(), [getattr(draft, name) for draft in ordered])
        for name in ("id", "reference", "actor", *more)
    }
    given = rows(session, **columns)
    inserted = await session.execute(
        upsert(session, table)
        .from_select(
            given.c.keys(),
            select(given).where(
                given.c.id.is_not(None)  # without a WHERE, SQLite takes ON for a join's
            ),
        )
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(table.c.id, table.c.created_at)
    )
    created: dict[str, datetime] = {row.id: row.created_at for row in inserted}
    for draft in drafts:
        if draft.id not in created:
            existing = await session.scalar(
                select(table.c.id).where(table.c.reference == draft.reference)
            )
            detail = f"{existing} already carries this reference."
            raise DuplicateReferenceError(detail, existing_id=existing)
    return created
