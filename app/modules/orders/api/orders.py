"""Orders, found and listed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.modules.orders.api.asking import OrderId, is_pending, shown, waited_for
from app.modules.orders.errors import (
    OrderNotFoundError,
)
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.schemas.orders import (
    CustomerId,
    OrderSummary,
    OrderView,
)
from app.modules.orders.service import read
from app.web.auth import customer_of, require
from app.web.conditional import etag, not_modified
from app.web.fields import Page, Reference, Sku
from app.web.openapi import refuses
from app.web.ops_schemas import Moment
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, READ
from app.web.waiting import PREFER, preference

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get(
    "/{order_id}",
    dependencies=[Depends(require("orders:read"))],
    response_model=OrderView,
    responses=READ | refuses(OrderNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH, PREFER]},
    summary="Get an order",
)
async def get_order(order_id: OrderId, request: Request, database: DatabaseDep) -> Response:
    """Return an order as it stands, with its version as ETag.

    With `Prefer: wait=N` an answer waits until the order is no longer `pending`; with If-None-Match
    until its version is another one.
    """
    async with database.read() as session:
        order = await read.get_order(session, order_id, customer_id=customer_of(request))
    preferred = preference(request)

    def goes_on(order: PlacedOrder) -> bool:
        if "if-none-match" in request.headers:
            return not_modified(request, order.version) is not None
        return is_pending(order)

    if preferred.wait_s and goes_on(order):
        order = await waited_for(
            request, order_id, preferred.wait_s, seen=order.version, goes_on=goes_on
        )
    if (same := not_modified(request, order.version)) is not None:
        same.headers.update(preferred.applied)
        return same
    return shown(OrderView.json_of(order), {"ETag": etag(order.version), **preferred.applied})


@router.get("", dependencies=[Depends(require("orders:read"))], summary="List orders")
async def list_orders(  # noqa: PLR0913, PLR0917 - one parameter per filter
    request: Request,
    paging: PagingDep,
    database: DatabaseDep,
    status: Annotated[
        list[OrderStatus] | None,
        Query(description="In one of these; may be repeated.", max_length=len(OrderStatus)),
    ] = None,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    reference: Annotated[Reference | None, Query()] = None,
    sku: Annotated[Sku | None, Query(description="With a line of this product.")] = None,
    created_from: Annotated[Moment | None, Query(description="Created then or later.")] = None,
    created_to: Annotated[Moment | None, Query(description="Created before.")] = None,
) -> Page[OrderSummary]:
    """Return orders, newest first."""
    filters = {
        "status": sorted(status or ()),
        "customer_id": customer_id,
        "reference": reference,
        "sku": sku,
        "created_from": created_from,
        "created_to": created_to,
    }
    before = paging.after(filters, str)
    own = customer_of(request)
    if own is not None and customer_id not in {None, own}:
        return Page(items=[])
    async with database.read() as session:
        found = await read.list_orders(
            session,
            statuses=status or (),
            customer_id=own or customer_id,
            reference=reference,
            sku=sku,
            created_from=created_from,
            created_until=created_to,
            before=None if before is None else str(before[0]),
            limit=paging.limit + 1,
        )
    return paging.page([OrderSummary.of(order) for order in found], filters, lambda one: (one.id,))
