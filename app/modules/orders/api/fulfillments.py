"""Fulfillments: units of an order that leave the house."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.orders.api.asking import CallerDep, OrderId, shown
from app.modules.orders.errors import (
    ExceedsOpenQuantityError,
    FulfillmentIssuedError,
    FulfillmentNotFoundError,
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.models.order import PlacedFulfillment, PlacedOrder
from app.modules.orders.schemas.fulfillments import FulfillmentView, NewFulfillment
from app.modules.orders.schemas.life import FulfillmentCancellation
from app.modules.orders.service import fulfill as service, read
from app.modules.orders.service.fulfill import FulfillmentDraft
from app.web.auth import customer_of, require
from app.web.conditional import etag, not_modified
from app.web.fields import Name, Page
from app.web.idempotency import KEYED, Reply, once
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, MADE, READ, SHOWN

router = APIRouter(prefix="/orders/{order_id}/fulfillments", tags=["orders"])

FulfillmentId = Annotated[str, Name(64), Field(examples=["ful_0199f2c4a1b27c3d9e8f7a6b5c4d3e2f"])]


@router.post(
    "",
    dependencies=[Depends(require("orders:fulfill"))],
    status_code=HTTPStatus.CREATED,
    response_model=FulfillmentView,
    responses=MADE
    | refuses(
        OrderNotFoundError,
        OrderStateConflictError,
        ExceedsOpenQuantityError,
        PreconditionFailedError,
    ),
    openapi_extra=KEYED,
    summary="Fulfill an order",
)
async def create_fulfillment(
    order_id: OrderId, request: Request, caller: CallerDep, body: NewFulfillment | None = None
) -> Response:
    """Ask for units of a confirmed order to leave: those of `lines`, or all that are open.

    The fulfillment is `requested`, and `issued` once inventory has let them go. Its ETag is the
    order's.
    """
    asked = body or NewFulfillment()
    lines = None if asked.lines is None else [(line.sku, line.quantity) for line in asked.lines]
    draft = FulfillmentDraft(lines=lines, tracking=asked.tracking)

    async def work(session: AsyncSession) -> Reply:
        order, fulfillment = await service.fulfill(session, order_id, caller, draft)
        location = f"/v1/orders/{order_id}/fulfillments/{fulfillment.id}"
        return Reply(
            status=HTTPStatus.CREATED,
            body=FulfillmentView.of(fulfillment),
            headers={"Location": location, "ETag": etag(order.version)},
        )

    return await once(request, asked, work)


@router.get(
    "",
    dependencies=[Depends(require("orders:read"))],
    responses=refuses(OrderNotFoundError),
    summary="List an order's fulfillments",
)
async def list_fulfillments(
    order_id: OrderId, request: Request, paging: PagingDep, database: DatabaseDep
) -> Page[FulfillmentView]:
    """Return an order's fulfillments, oldest first."""
    after = paging.after({}, str)
    order = await _order(request, database, order_id)
    views = [
        FulfillmentView.of(one)
        for one in order.fulfillments
        if after is None or one.id > str(after[0])
    ]
    return paging.page(views, {}, lambda view: (view.id,))


@router.get(
    "/{fulfillment_id}",
    dependencies=[Depends(require("orders:read"))],
    response_model=FulfillmentView,
    responses=READ | refuses(FulfillmentNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
    summary="Get a fulfillment",
)
async def get_fulfillment(
    order_id: OrderId, fulfillment_id: FulfillmentId, request: Request, database: DatabaseDep
) -> Response:
    """Return a fulfillment as it stands, with its order's version as ETag."""
    order = await _order(request, database, order_id)
    fulfillment = _one(order, fulfillment_id)
    if (same := not_modified(request, order.version)) is not None:
        return same
    return shown(FulfillmentView.of(fulfillment), {"ETag": etag(order.version)})


@router.post(
    "/{fulfillment_id}/cancel",
    dependencies=[Depends(require("orders:fulfill"))],
    response_model=FulfillmentView,
    responses=SHOWN
    | refuses(FulfillmentNotFoundError, FulfillmentIssuedError, PreconditionFailedError),
    openapi_extra=KEYED,
    summary="Cancel a fulfillment",
)
async def cancel_fulfillment(
    order_id: OrderId,
    fulfillment_id: FulfillmentId,
    request: Request,
    caller: CallerDep,
    body: FulfillmentCancellation | None = None,
) -> Response:
    """Ask for a fulfillment to stay.

    It is `cancelling` until inventory has answered: then `cancelled`, and its units are open again;
    or `issued`, because it had left.
    """

    async def work(session: AsyncSession) -> Reply:
        order, fulfillment = await service.cancel_fulfillment(
            session, order_id, fulfillment_id, caller
        )
        return Reply(
            status=HTTPStatus.OK,
            body=FulfillmentView.of(fulfillment),
            headers={"ETag": etag(order.version)},
        )

    return await once(request, body or FulfillmentCancellation(), work)


async def _order(request: Request, database: DatabaseDep, order_id: str) -> PlacedOrder:
    async with database.read() as session:
        return await read.get_order(session, order_id, customer_id=customer_of(request))


def _one(order: PlacedOrder, fulfillment_id: str) -> PlacedFulfillment:
    for one in order.fulfillments:
        if one.id == fulfillment_id:
            return one
    raise FulfillmentNotFoundError(f"Order {order.id} has no fulfillment {fulfillment_id}.")
