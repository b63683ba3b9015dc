"""Locations: where stock lies."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from app.modules.inventory.errors import LocationNotFoundError, PreconditionFailedError
from app.modules.inventory.schemas.places import LocationId, LocationValues, LocationView
from app.modules.inventory.service import locations as service
from app.modules.inventory.service.locations import LocationDraft
from app.web.auth import require
from app.web.conditional import PutConditionDep, etag, not_modified
from app.web.fields import Page
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, READ, written

router = APIRouter(prefix="/locations")

Id = Annotated[LocationId, Path()]


@router.put(
    "/{location_id}",
    dependencies=[Depends(require("inventory:write"))],
    responses=written(LocationView) | refuses(PreconditionFailedError),
    summary="Create or change a location",
)
async def put_location(
    location_id: Id,
    values: LocationValues,
    response: Response,
    condition: PutConditionDep,
    database: DatabaseDep,
) -> LocationView:
    """Make the location what the body says; the same body twice changes nothing.

    Switched off, it keeps its stock and what is reserved there, and offers nothing to new orders.
    """
    draft = LocationDraft(
        id=location_id, name=values.name, priority=values.priority, active=values.active
    )
    async with database.write() as session:
        location, created = await service.put_location(
            session, draft, replacing=condition.replacing
        )
        condition.check(created=created)
    response.headers["ETag"] = etag(location.version)
    if created:
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"/v1/inventory/locations/{location_id}"
    return LocationView.of(location)


@router.get(
    "/{location_id}",
    dependencies=[Depends(require("inventory:read"))],
    response_model=LocationView,
    responses=READ | refuses(LocationNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
    summary="Get a location",
)
async def get_location(
    location_id: Id, request: Request, response: Response, database: DatabaseDep
) -> Response | LocationView:
    """Return a location, with its version as ETag."""
    async with database.read() as session:
        location = await service.get_location(session, location_id)
    if (same := not_modified(request, location.version)) is not None:
        return same
    response.headers["ETag"] = etag(location.version)
    return LocationView.of(location)


@router.get("", dependencies=[Depends(require("inventory:read"))], summary="List locations")
async def list_locations(paging: PagingDep, database: DatabaseDep) -> Page[LocationView]:
    """Return locations by id."""
    after = paging.after({}, str)
    async with database.read() as session:
        found = await service.list_locations(
            session, after=None if after is None else str(after[0]), limit=paging.limit + 1
        )
    return paging.page([LocationView.of(one) for one in found], {}, lambda view: (view.id,))
