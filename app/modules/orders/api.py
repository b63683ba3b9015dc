"""The REST API of orders: products, and the orders placed for them."""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.orders.models import OrderDraft, OrderStatus
from app.modules.orders.schemas import (
    CustomerId,
    NewOrder,
    OrderSummary,
    OrderView,
    ProductValues,
    ProductView,
)
from app.modules.orders.service.place import place
from app.modules.orders.service.products import (
    ProductDraft,
    get_product,
    list_products,
    put_product,
)
from app.modules.orders.service.read import get_order, list_orders
from app.web.auth import principal
from app.web.fields import Name, Page, Reference, Sku
from app.web.idempotency import KEYED, Reply, once
from app.web.limits import known_parameters
from app.web.paging import PagingDep
from app.web.state import DatabaseDep

router = APIRouter(
    prefix="/v1", tags=["orders"], dependencies=[Depends(principal), Depends(known_parameters)]
)

# RFC 9110: a list of entity tags. A weak one, or one that is no version of ours, matches nothing.
_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_VERSION = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')


def _etag(version: int) -> str:
    return f'"{version}"'


def _versions(if_match: str | None) -> Collection[int] | None:
    """Return the versions an If-Match header allows; None when there is no header."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return range(1, 2**63)
    if not _TAGS.fullmatch(if_match):
        return ()
    return {int(version) for version in _VERSION.findall(if_match)}


@router.put(
    "/products/{sku}",
    responses={HTTPStatus.CREATED: {"model": ProductView, "description": "It is new."}},
    summary="Create or change a product",
)
async def put(
    sku: Sku,
    values: ProductValues,
    response: Response,
    database: DatabaseDep,
    if_match: Annotated[
        str | None, Header(description="Change only the version with this ETag.", max_length=1000)
    ] = None,
) -> ProductView:
    """Make the product what the body says; the same body twice changes nothing."""
    draft = ProductDraft(
        sku=sku,
        title=values.title,
        unit_price_minor=values.unit_price.minor,
        currency=values.unit_price.currency,
        active=values.active,
    )
    async with database.write() as session:
        product, created = await put_product(session, draft, replacing=_versions(if_match))
    response.headers["ETag"] = _etag(product.version)
    if created:
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"/v1/products/{quote(sku, safe='')}"
    return ProductView.of(product)


@router.get("/products/{sku}", summary="Get a product")
async def get_one_product(sku: Sku, response: Response, database: DatabaseDep) -> ProductView:
    """Return a product, with its version as ETag."""
    async with database.read() as session:
        product = await get_product(session, sku)
    response.headers["ETag"] = _etag(product.version)
    return ProductView.of(product)


@router.get("/products", summary="List products")
async def get_products(paging: PagingDep, database: DatabaseDep) -> Page[ProductView]:
    """Return products by SKU."""
    after = paging.after({}, str)
    async with database.read() as session:
        found = await list_products(
            session, after=None if after is None else str(after[0]), limit=paging.limit + 1
        )
    return paging.page([ProductView.of(product) for product in found], {}, lambda view: (view.sku,))


@router.post(
    "/orders",
    status_code=HTTPStatus.CREATED,
    response_model=OrderView,
    openapi_extra=KEYED,
    summary="Place an order",
)
async def post_order(order: NewOrder, request: Request) -> Response:
    """Take the order as `pending`, at the prices of this moment.

    Events then make it `confirmed`, or `rejected` with every short line listed. All lines are
    reserved, or none.
    """
    draft = OrderDraft(
        customer_id=order.customer_id,
        lines=[(line.sku, line.quantity) for line in order.lines],
        reference=order.reference,
    )

    async def work(session: AsyncSession) -> Reply:
        [placed] = await place(session, [draft])
        structlog.contextvars.bind_contextvars(order_id=placed.id)
        return Reply(
            status=HTTPStatus.CREATED,
            body=OrderView.of(placed),
            headers={"Location": f"/v1/orders/{placed.id}", "ETag": _etag(placed.version)},
        )

    return await once(request, order, work)


@router.get("/orders/{order_id}", summary="Get an order")
async def get_one_order(
    order_id: Annotated[str, Name(64)], response: Response, database: DatabaseDep
) -> OrderView:
    """Return an order as it stands, with its version as ETag."""
    async with database.read() as session:
        order = await get_order(session, order_id)
    response.headers["ETag"] = _etag(order.version)
    return OrderView.of(order)


@router.get("/orders", summary="List orders")
async def get_orders(
    paging: PagingDep,
    database: DatabaseDep,
    status: Annotated[OrderStatus | None, Query()] = None,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    reference: Annotated[Reference | None, Query()] = None,
) -> Page[OrderSummary]:
    """Return orders, newest first."""
    filters = {"status": status, "customer_id": customer_id, "reference": reference}
    before = paging.after(filters, str)
    async with database.read() as session:
        found = await list_orders(
            session,
            status=status,
            customer_id=customer_id,
            reference=reference,
            before=None if before is None else str(before[0]),
            limit=paging.limit + 1,
        )
    return paging.page([OrderSummary.of(order) for order in found], filters, lambda one: (one.id,))
