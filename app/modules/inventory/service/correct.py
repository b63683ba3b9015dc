"""Correcting the books: by a difference and its reason, or by what was counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.sql import rows
from app.modules.inventory.errors import (
    CountConflictError,
    DuplicateLineError,
    WouldBreakReservationsError,
)
from app.modules.inventory.models.drafts import (
    AdjustmentDraft,
    Corrected,
    CorrectedLine,
    CountDraft,
)
from app.modules.inventory.models.tables import (
    MovementKind,
    ReservationState,
    adjustments,
    reservation_lines,
    reservations,
)
from app.modules.inventory.service.book import Book, Why
from app.modules.inventory.service.levels import Key, Level
from app.modules.inventory.service.papers import file

RESERVATIONS_NAMED = 20
"""How many reservations a refusal names."""

D = TypeVar("D", AdjustmentDraft, CountDraft)


async def adjust(session: AsyncSession, drafts: Sequence[AdjustmentDraft]) -> list[Corrected]:
    """Change what is on hand by differences, and return the adjustments.

    All or none: raises WouldBreakReservationsError, UnknownLocationError, TooMuchStockError or
    DuplicateReferenceError for the whole sequence. Five statements, however many drafts and lines
    there are; two more when a SKU crossed a threshold.
    """
    return await _correct(session, drafts, _differences)


async def count(session: AsyncSession, drafts: Sequence[CountDraft]) -> list[Corrected]:
    """Set what is on hand to what was counted, and return the counts.

    Compared and set under the lock of the level: raises CountConflictError when the books no longer
    say what a line expects. A line that finds the books right is booked too. Otherwise as `adjust`;
    raises DuplicateLineError when one count names a level twice.
    """
    for draft in drafts:
        keys = Counter((line.sku, line.location) for line in draft.lines)
        if twice := sorted(key for key, times in keys.items() if times > 1):
            msg = "A count can name a SKU at a location once."
            lines = [{"sku": sku, "location": location} for sku, location in twice]
            raise DuplicateLineError(msg, lines=lines)
    return await _correct(session, drafts, _counted)


def _differences(book: Book, draft: AdjustmentDraft) -> Mapping[Key, int]:
    del book
    deltas: dict[Key, int] = {}
    for line in draft.lines:
        key = (line.sku, line.location)
        deltas[key] = deltas.get(key, 0) + line.delta
    return deltas


def _counted(book: Book, draft: CountDraft) -> Mapping[Key, int]:
    """Return the differences from the books; raises CountConflictError."""
    deltas: dict[Key, int] = {}
    conflicts: list[dict[str, object]] = []
    for line in draft.lines:
        now = book.level(line.sku, line.location).on_hand
        if line.expected_on_hand not in {None, now}:
            conflicts.append(
                {
                    "sku": line.sku,
                    "location": line.location,
                    "expected_on_hand": line.expected_on_hand,
                    "on_hand": now,
                }
            )
        deltas[line.sku, line.location] = line.on_hand - now
    if conflicts:
        msg = "The books have changed since the counting began: count these lines again."
        raise CountConflictError(msg, lines=conflicts)
    return deltas


async def _correct(
    session: AsyncSession, drafts: Sequence[D], changes: Callable[[Book, D], Mapping[Key, int]]
) -> list[Corrected]:
    """Book the changes of each draft in turn."""
    if not drafts:
        return []
    created = await file(session, adjustments, drafts, "kind", "reason")
    needed = dict.fromkeys((line.sku, line.location) for draft in drafts for line in draft.lines)
    book = await Book.open(session, [sku for sku, _ in needed], needed=needed)
    corrected = []
    for draft in drafts:
        why = Why(MovementKind(draft.kind), adjustment_id=draft.id)
        deltas = {book.level(*key): delta for key, delta in changes(book, draft).items()}
        await _check_reservations(session, deltas)
        for level, delta in deltas.items():
            book.move(level, why, on_hand=delta)
        corrected.append(
            Corrected(
                id=draft.id,
                kind=draft.kind,
                reason=draft.reason,
                reference=draft.reference,
                actor=draft.actor,
                created_at=created[draft.id],
                lines=[_line(level, delta) for level, delta in deltas.items()],
            )
        )
    await publish(session, *await book.write())
    return corrected


def _line(level: Level, delta: int) -> CorrectedLine:
    return CorrectedLine(
        sku=level.sku,
        location=level.location,
        delta=delta,
        on_hand=level.on_hand,
        reserved=level.reserved,
        committed=level.committed,
    )


async def _check_reservations(session: AsyncSession, deltas: Mapping[Level, int]) -> None:
    """Raise WouldBreakReservationsError if less would be on hand than is reserved."""
    broken = {
        level: delta for level, delta in deltas.items() if level.on_hand + delta < level.reserved
    }
    if not broken:
        return
    given = rows(
        session,
        sku=(String(), [level.sku for level in broken]),
        location=(String(), [level.location for level in broken]),
    )
    left = reservation_lines.c.quantity - reservation_lines.c.issued
    holding = (ReservationState.HELD.value, ReservationState.COMMITTED.value)
    found = await session.execute(
        select(
            reservation_lines.c.order_id,
            reservation_lines.c.sku,
            reservation_lines.c.location,
            left.label("quantity"),
        )
        .join(reservations, reservations.c.order_id == reservation_lines.c.order_id)
        .join(
            given,
            (reservation_lines.c.sku == given.c.sku)
            & (reservation_lines.c.location == given.c.location),
        )
        .where(reservations.c.state.in_(holding), left > 0)
        .order_by(reservation_lines.c.order_id.desc(), reservation_lines.c.sku)
        .limit(RESERVATIONS_NAMED)
    )
    lines = [
        {
            "sku": level.sku,
            "location": level.location,
            "on_hand": level.on_hand,
            "reserved": level.reserved,
            "committed": level.committed,
            "wanted_on_hand": level.on_hand + delta,
        }
        for level, delta in broken.items()
    ]
    msg = "Fewer units would be on hand than are reserved for orders."
    raise WouldBreakReservationsError(
        msg, lines=lines, reservations=[dict(row) for row in found.mappings()]
    )
