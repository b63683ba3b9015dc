"""Products: what can be ordered, and for how much."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from app.modules.orders.errors import PreconditionFailedError, ProductNotFoundError
from app.modules.orders.schemas.products import ProductValues, ProductView
from app.modules.orders.service import products as service
from app.modules.orders.service.products import ProductDraft
from app.web.auth import require
from app.web.conditional import AlreadyThereError, PutConditionDep, etag, not_modified
from app.web.fields import Page, Sku
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, READ, written

router = APIRouter(prefix="/products", tags=["orders"])


@router.put(
    "/{sku}",
    dependencies=[Depends(require("products:write"))],
    responses=written(ProductView) | refuses(PreconditionFailedError, AlreadyThereError),
    summary="Create or change a product",
)
async def put_product(
    sku: Sku,
    values: ProductValues,
    response: Response,
    condition: PutConditionDep,
    database: DatabaseDep,
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
        product, created = await service.put_product(session, draft, replacing=condition.replacing)
        condition.check(created=created)
    response.headers["ETag"] = etag(product.version)
    if created:
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"/v1/products/{quote(sku, safe='')}"
    return ProductView.of(product)


@router.get(
    "/{sku}",
    dependencies=[Depends(require("products:read"))],
    response_model=ProductView,
    responses=READ | refuses(ProductNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
    summary="Get a product",
)
async def get_product(
    sku: Sku, request: Request, response: Response, database: DatabaseDep
) -> Response | ProductView:
    """Return a product, with its version as ETag."""
    async with database.read() as session:
        product = await service.get_product(session, sku)
    if (same := not_modified(request, product.version)) is not None:
        return same
    response.headers["ETag"] = etag(product.version)
    return ProductView.of(product)


@router.get("", dependencies=[Depends(require("products:read"))], summary="List products")
async def list_products(paging: PagingDep, database: DatabaseDep) -> Page[ProductView]:
    """Return products by SKU."""
    after = paging.after({}, str)
    async with database.read() as session:
        found = await service.list_products(
            session, after=None if after is None else str(after[0]), limit=paging.limit + 1
        )
    return paging.page([ProductView.of(product) for product in found], {}, lambda view: (view.sku,))
