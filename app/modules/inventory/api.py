"""The REST API of inventory: receipts, levels and the ledger."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.inventory.models import ReceiptDraft
from app.modules.inventory.schemas import LevelView, MovementView, NewReceipt, ReceiptView
from app.modules.inventory.service.read import list_levels, list_movements
from app.modules.inventory.service.receive import receive
from app.web.auth import principal
from app.web.fields import Page, Sku
from app.web.idempotency import KEYED, Reply, once
from app.web.limits import known_parameters
from app.web.paging import PagingDep
from app.web.state import DatabaseDep

router = APIRouter(
    prefix="/v1/inventory",
    tags=["inventory"],
    dependencies=[Depends(principal), Depends(known_parameters)],
)


@router.post(
    "/receipts",
    status_code=HTTPStatus.CREATED,
    response_model=ReceiptView,
    openapi_extra=KEYED,
    summary="Receive goods",
)
async def post_receipt(receipt: NewReceipt, request: Request) -> Response:
    """Book goods that came in: they are on hand, and available, at once."""
    draft = ReceiptDraft(
        lines=[(line.sku, line.quantity) for line in receipt.lines], reference=receipt.reference
    )

    async def work(session: AsyncSession) -> Reply:
        [received] = await receive(session, [draft])
        return Reply(status=HTTPStatus.CREATED, body=ReceiptView.of(received))

    return await once(request, receipt, work)


@router.get("/levels", summary="List stock levels")
async def get_levels(
    paging: PagingDep,
    database: DatabaseDep,
    sku: Annotated[
        list[Sku] | None, Query(description="Only these; may be repeated.", max_length=200)
    ] = None,
) -> Page[LevelView]:
    """Return stock levels by SKU and location; a SKU that was never received has none."""
    filters = {"sku": sorted(sku or ())}
    after = paging.after(filters, str, str)
    async with database.read() as session:
        found = await list_levels(
            session,
            skus=sku or (),
            after=None if after is None else (str(after[0]), str(after[1])),
            limit=paging.limit + 1,
        )
    views = [LevelView.of(level) for level in found]
    return paging.page(views, filters, lambda view: (view.sku, view.location))


@router.get("/movements", summary="List stock movements")
async def get_movements(
    paging: PagingDep,
    database: DatabaseDep,
    sku: Annotated[Sku | None, Query(description="Only this one.")] = None,
) -> Page[MovementView]:
    """Return the ledger, newest first: every change of every level."""
    filters = {"sku": sku}
    before = paging.after(filters, int)
    async with database.read() as session:
        found = await list_movements(
            session,
            sku=sku,
            before=None if before is None else int(before[0]),
            limit=paging.limit + 1,
        )
    return paging.page([MovementView.of(one) for one in found], filters, lambda view: (view.id,))
