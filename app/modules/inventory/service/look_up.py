"""Looking things up: receipts, adjustments, and what is held for an order."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.modules.inventory.errors import (
    AdjustmentNotFoundError,
    ReceiptNotFoundError,
    ReservationNotFoundError,
)
from app.modules.inventory.models.drafts import (
    Corrected,
    CorrectedLine,
    HeldLine,
    HeldStock,
    Received,
)
from app.modules.inventory.models.tables import (
    Adjustment,
    AdjustmentKind,
    Receipt,
    Reservation,
    ReservationLine,
    ReservationState,
    StockMovement,
)


async def get_receipt(session: AsyncSession, receipt_id: str) -> Received:
    """Return a receipt as booked; raises ReceiptNotFoundError."""
    receipt = await session.get(Receipt, receipt_id)
    if receipt is None:
        msg = f"There is no receipt {receipt_id}."
        raise ReceiptNotFoundError(msg)
    booked = (
        await session.scalars(
            select(StockMovement)
            .where(StockMovement.receipt_id == receipt_id)
            .order_by(StockMovement.id)
        )
    ).all()
    return Received(
        id=receipt.id,
        reference=receipt.reference,
        actor=receipt.actor,
        location=booked[0].location,
        created_at=receipt.created_at,
        units={row.sku: row.d_on_hand for row in booked},
    )


async def get_adjustment(session: AsyncSession, adjustment_id: str) -> Corrected:
    """Return an adjustment or a count as booked; raises AdjustmentNotFoundError."""
    adjustment = await session.get(Adjustment, adjustment_id)
    if adjustment is None:
        msg = f"There is no adjustment {adjustment_id}."
        raise AdjustmentNotFoundError(msg)
    booked = await session.scalars(
        select(StockMovement)
        .where(StockMovement.adjustment_id == adjustment_id)
        .order_by(StockMovement.id)
    )
    return Corrected(
        id=adjustment.id,
        kind=AdjustmentKind(adjustment.kind),
        reason=adjustment.reason,
        reference=adjustment.reference,
        actor=adjustment.actor,
        created_at=adjustment.created_at,
        lines=[
            CorrectedLine(
                sku=row.sku,
                location=row.location,
                delta=row.d_on_hand,
                on_hand=row.on_hand_after,
                reserved=row.reserved_after,
                committed=row.committed_after,
            )
            for row in booked
        ],
    )


async def get_reservation(session: AsyncSession, order_id: str) -> HeldStock:
    """Return what became of an order's stock; raises ReservationNotFoundError."""
    reservation = await session.get(Reservation, order_id)
    if reservation is None:
        msg = f"Nothing was decided about the stock of an order {order_id}."
        raise ReservationNotFoundError(msg)
    [held] = await _with_lines(session, [reservation])
    return held


async def list_reservations(
    session: AsyncSession,
    *,
    sku: str | None = None,
    states: Sequence[ReservationState] = (),
    before: str | None,
    limit: int,
) -> list[HeldStock]:
    """Return up to limit reservations by order, newest first, those of orders before the given one.

    No states means all of them. With a SKU: those that hold, or held, units of it.
    """
    page = select(Reservation).order_by(Reservation.order_id.desc()).limit(limit)
    if sku is not None:
        # Along the index of lines, which ends after a page: a SKU can be in every order there is.
        holding = (
            select(ReservationLine.order_id)
            .where(ReservationLine.sku == sku)
            .distinct()
            .order_by(ReservationLine.order_id.desc())
            .limit(limit)
        )
        if before is not None:
            holding = holding.where(ReservationLine.order_id < before)
        if states:
            own = aliased(Reservation)
            holding = holding.join(own, own.order_id == ReservationLine.order_id)
            holding = holding.where(own.state.in_(states))
        page = page.where(Reservation.order_id.in_(holding))
    if states:
        page = page.where(Reservation.state.in_(states))
    if before is not None:
        page = page.where(Reservation.order_id < before)
    return await _with_lines(session, (await session.scalars(page)).all())


async def _with_lines(
    session: AsyncSession, reservations: Sequence[Reservation]
) -> list[HeldStock]:
    lines: dict[str, list[HeldLine]] = defaultdict(list)
    order_ids = [one.order_id for one in reservations]
    found = await session.scalars(
        select(ReservationLine)
        .where(ReservationLine.order_id.in_(order_ids))
        .order_by(ReservationLine.order_id, ReservationLine.sku, ReservationLine.location)
    )
    for row in found:
        lines[row.order_id].append(
            HeldLine(sku=row.sku, location=row.location, quantity=row.quantity, issued=row.issued)
        )
    return [
        HeldStock(
            order_id=one.order_id,
            state=ReservationState(one.state),
            version=one.version,
            created_at=one.created_at,
            updated_at=one.updated_at,
            lines=lines[one.order_id],
        )
        for one in reservations
    ]
