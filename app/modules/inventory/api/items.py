"""Items: how SKUs are kept."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from app.modules.inventory.errors import ItemNotFoundError, PreconditionFailedError
from app.modules.inventory.schemas.places import ItemValues, ItemView
from app.modules.inventory.service import items as service
from app.modules.inventory.service.items import ItemDraft
from app.web.auth import require
from app.web.conditional import PutConditionDep, etag, not_modified
from app.web.fields import Page, Sku
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, READ, written

router = APIRouter(prefix="/items")


@router.put(
    "/{sku}",
    dependencies=[Depends(require("inventory:write"))],
    responses=written(ItemView) | refuses(PreconditionFailedError),
    summary="Say how a SKU is kept",
)
async def put_stock_item(
    sku: Sku,
    values: ItemValues,
    response: Response,
    condition: PutConditionDep,
    database: DatabaseDep,
) -> ItemView:
    """Keep the SKU as the body says; the same body twice changes nothing.

    It need not be in stock yet. What is reserved stays so, even of units now kept back.
    """
    draft = ItemDraft(sku=sku, safety_stock=values.safety_stock, low_stock_at=values.low_stock_at)
    async with database.write() as session:
        item, created = await service.put_item(session, draft, replacing=condition.replacing)
        condition.check(created=created)
    response.headers["ETag"] = etag(item.version)
    if created:
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"/v1/inventory/items/{quote(sku, safe='')}"
    return ItemView.of(item)


@router.get(
    "/{sku}",
    dependencies=[Depends(require("inventory:read"))],
    response_model=ItemView,
    responses=READ | refuses(ItemNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
    summary="Get how a SKU is kept",
)
async def get_stock_item(
    sku: Sku, request: Request, response: Response, database: DatabaseDep
) -> Response | ItemView:
    """Return how a SKU is kept, with its version as ETag; without an item it has zeros."""
    async with database.read() as session:
        item = await service.get_item(session, sku)
    if (same := not_modified(request, item.version)) is not None:
        return same
    response.headers["ETag"] = etag(item.version)
    return ItemView.of(item)


@router.get("", dependencies=[Depends(require("inventory:read"))], summary="List how SKUs are kept")
async def list_stock_items(paging: PagingDep, database: DatabaseDep) -> Page[ItemView]:
    """Return the SKUs somebody said it of, by SKU; all others have zeros."""
    after = paging.after({}, str)
    async with database.read() as session:
        found = await service.list_items(
            session, after=None if after is None else str(after[0]), limit=paging.limit + 1
        )
    return paging.page([ItemView.of(one) for one in found], {}, lambda view: (view.sku,))
