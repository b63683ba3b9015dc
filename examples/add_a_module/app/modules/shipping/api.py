"""The REST API of shipping: every route below /v1/shipping."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.shipping import service
from app.modules.shipping.errors import ShipmentNotFoundError, ShipmentStateConflictError
from app.modules.shipping.models import ShipmentStatus
from app.modules.shipping.schemas import Dispatch, ShipmentView
from app.web.auth import require
from app.web.conditional import etag
from app.web.fields import Name, Page
from app.web.idempotency import KEYED, Reply, once
from app.web.limits import known_parameters
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import SHOWN

router = APIRouter(
    prefix="/v1/shipping", tags=["shipping"], dependencies=[Depends(known_parameters)]
)

ShipmentId = Annotated[str, Name(64), Field(examples=["shp_0199f2c4a1b27c3d9e8f7a6b5c4d3e2f"])]


@router.get(
    "", dependencies=[Depends(require("orders:read", customers=False))], summary="List shipments"
)
async def list_shipments(
    paging: PagingDep,
    database: DatabaseDep,
    status: Annotated[ShipmentStatus | None, Query()] = None,
) -> Page[ShipmentView]:
    """Return shipments, oldest first, those of one status when it is given."""
    filters = {"status": status}
    after = paging.after(filters, str)
    async with database.read() as session:
        found = await service.page(
            session,
            status,
            after=None if after is None else str(after[0]),
            limit=paging.limit + 1,
        )
    return paging.page([ShipmentView.of(one) for one in found], filters, lambda view: (view.id,))


@router.get(
    "/{shipment_id}",
    dependencies=[Depends(require("orders:read", customers=False))],
    responses=SHOWN | refuses(ShipmentNotFoundError),
    summary="Get a shipment",
)
async def get_shipment(
    shipment_id: ShipmentId, response: Response, database: DatabaseDep
) -> ShipmentView:
    """Return a shipment, with its version as ETag."""
    async with database.read() as session:
        shipment = await service.get(session, shipment_id)
    response.headers["ETag"] = etag(shipment.version)
    return ShipmentView.of(shipment)


@router.post(
    "/{shipment_id}/dispatch",
    dependencies=[Depends(require("orders:fulfill"))],
    response_model=ShipmentView,
    responses=SHOWN | refuses(ShipmentNotFoundError, ShipmentStateConflictError),
    openapi_extra=KEYED,
    summary="Give a shipment to its carrier",
)
async def dispatch_shipment(shipment_id: ShipmentId, asked: Dispatch, request: Request) -> Response:
    """Say that a carrier has taken a shipment, once; the world is told."""

    async def work(session: AsyncSession) -> Reply:
        shipment = await service.dispatch(
            session, shipment_id, carrier=asked.carrier, tracking=asked.tracking
        )
        return Reply(
            status=HTTPStatus.OK,
            body=ShipmentView.of(shipment),
            headers={"ETag": etag(shipment.version)},
        )

    return await once(request, asked, work)
