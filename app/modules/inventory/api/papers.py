"""Papers: receipts, adjustments and counts, each booked whole or not at all."""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.inventory.errors import (
    AdjustmentNotFoundError,
    CountConflictError,
    DuplicateLineError,
    DuplicateReferenceError,
    ReceiptNotFoundError,
    TooMuchStockError,
    UnknownLocationError,
    WouldBreakReservationsError,
)
from app.modules.inventory.models.drafts import Corrected
from app.modules.inventory.schemas.papers import (
    AdjustmentView,
    NewAdjustment,
    NewCount,
    NewReceipt,
    ReceiptView,
)
from app.modules.inventory.service import look_up
from app.modules.inventory.service.correct import adjust, count
from app.modules.inventory.service.receive import receive
from app.web.auth import require
from app.web.fields import Name
from app.web.idempotency import KEYED, Reply, once
from app.web.openapi import refuses
from app.web.state import DatabaseDep
from app.web.versioned import LOCATION, Responses

RECEIPTS = "/v1/inventory/receipts"
ADJUSTMENTS = "/v1/inventory/adjustments"

Id = Annotated[str, Name(64)]

_MADE: Responses = {HTTPStatus.CREATED.value: {"headers": LOCATION}}

router = APIRouter()


@router.post(
    "/receipts",
    dependencies=[Depends(require("inventory:write"))],
    status_code=HTTPStatus.CREATED,
    response_model=ReceiptView,
    responses=_MADE | refuses(DuplicateReferenceError, UnknownLocationError, TooMuchStockError),
    openapi_extra=KEYED,
    summary="Receive goods",
)
async def receive_goods(receipt: NewReceipt, request: Request) -> Response:
    """Book goods that came in: they are on hand, and available, at once."""
    draft = receipt.draft(actor=request.state.principal.name)

    async def work(session: AsyncSession) -> Reply:
        [received] = await receive(session, [draft])
        structlog.contextvars.bind_contextvars(receipt_id=received.id)
        return Reply(
            status=HTTPStatus.CREATED,
            body=ReceiptView.of(received),
            headers={"Location": f"{RECEIPTS}/{received.id}"},
        )

    return await once(request, receipt, work)


@router.get(
    "/receipts/{receipt_id}",
    dependencies=[Depends(require("inventory:read"))],
    responses=refuses(ReceiptNotFoundError),
    summary="Get a receipt",
)
async def get_receipt(receipt_id: Id, database: DatabaseDep) -> ReceiptView:
    """Return a receipt as it was booked."""
    async with database.read() as session:
        return ReceiptView.of(await look_up.get_receipt(session, receipt_id))


@router.post(
    "/adjustments",
    dependencies=[Depends(require("inventory:write"))],
    status_code=HTTPStatus.CREATED,
    response_model=AdjustmentView,
    responses=_MADE
    | refuses(
        DuplicateReferenceError,
        UnknownLocationError,
        TooMuchStockError,
        WouldBreakReservationsError,
    ),
    openapi_extra=KEYED,
    summary="Adjust stock by differences",
)
async def adjust_stock(adjustment: NewAdjustment, request: Request) -> Response:
    """Change what is on hand by differences, and answer with the counters after them.

    Reserved units cannot be taken away: `would_break_reservations` names who holds them.
    """
    draft = adjustment.draft(actor=request.state.principal.name)

    async def work(session: AsyncSession) -> Reply:
        [corrected] = await adjust(session, [draft])
        return _booked(corrected)

    return await once(request, adjustment, work)


@router.post(
    "/counts",
    dependencies=[Depends(require("inventory:write"))],
    status_code=HTTPStatus.CREATED,
    response_model=AdjustmentView,
    responses=_MADE
    | refuses(
        CountConflictError,
        DuplicateLineError,
        DuplicateReferenceError,
        UnknownLocationError,
        TooMuchStockError,
        WouldBreakReservationsError,
    ),
    openapi_extra=KEYED,
    summary="Set stock to what was counted",
)
async def count_stock(counted: NewCount, request: Request) -> Response:
    """Set what is on hand, unless the books have changed since the counting began.

    `count_conflict` then says what they hold now, line by line: count those again. What was sold
    in between is thus never wiped out.
    """
    draft = counted.draft(actor=request.state.principal.name)

    async def work(session: AsyncSession) -> Reply:
        [corrected] = await count(session, [draft])
        return _booked(corrected)

    return await once(request, counted, work)


@router.get(
    "/adjustments/{adjustment_id}",
    dependencies=[Depends(require("inventory:read"))],
    responses=refuses(AdjustmentNotFoundError),
    summary="Get an adjustment or a count",
)
async def get_adjustment(adjustment_id: Id, database: DatabaseDep) -> AdjustmentView:
    """Return an adjustment or a count as it was booked."""
    async with database.read() as session:
        return AdjustmentView.of(await look_up.get_adjustment(session, adjustment_id))


def _booked(corrected: Corrected) -> Reply:
    structlog.contextvars.bind_contextvars(adjustment_id=corrected.id)
    return Reply(
        status=HTTPStatus.CREATED,
        body=AdjustmentView.of(corrected),
        headers={"Location": f"{ADJUSTMENTS}/{corrected.id}"},
    )
