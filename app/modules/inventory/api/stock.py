"""Stock as it is: levels, availability, reservations, and the proof that they agree."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from app.modules.inventory.errors import ReservationNotFoundError
from app.modules.inventory.models.tables import ReservationState
from app.modules.inventory.schemas.places import LocationId
from app.modules.inventory.schemas.stock import (
    AvailabilityList,
    AvailabilityView,
    DriftView,
    LevelView,
    ReservationView,
    VerificationView,
)
from app.modules.inventory.service import look_up, read
from app.modules.inventory.service.drift import check_drift
from app.web.auth import require
from app.web.conditional import etag, not_modified
from app.web.fields import Name, Page, Sku
from app.web.openapi import refuses
from app.web.paging import Paging, PagingDep
from app.web.state import DatabaseDep
from app.web.versioned import IF_NONE_MATCH, READ, Responses

MOST_SKUS = 200
"""How many SKUs one request may name."""

_FOR_A_SECOND = "max-age=1"
_CACHE: Responses = {
    HTTPStatus.OK.value: {
        "headers": {
            "Cache-Control": {
                "description": f"`{_FOR_A_SECOND}`",
                "schema": {"type": "string"},
            }
        }
    }
}

router = APIRouter()


@router.get(
    "/levels", dependencies=[Depends(require("inventory:read"))], summary="List stock levels"
)
async def list_levels(  # noqa: PLR0913 - one parameter per filter
    paging: PagingDep,
    database: DatabaseDep,
    sku: Annotated[
        list[Sku] | None, Query(description="Only these; may be repeated.", max_length=MOST_SKUS)
    ] = None,
    sku_prefix: Annotated[
        str | None, Name(64), Query(description="Only SKUs that begin with it.")
    ] = None,
    location: Annotated[LocationId | None, Query(description="Only there.")] = None,
    *,
    low: Annotated[
        bool, Query(description="Only SKUs that are low or out, over all locations.")
    ] = False,
    sort: Annotated[
        Literal["sku", "available"],
        Query(description="`available`: those with the fewest free units first."),
    ] = "sku",
) -> Page[LevelView]:
    """Return stock levels by SKU and location; a SKU that was never received has none."""
    filters = {"sku": sorted(sku or ()), "location": location, "low": low}
    scarce_first = sort == "available"
    if scarce_first:
        filters["sort"] = sort
    if sku_prefix is not None:
        filters["sku_prefix"] = sku_prefix
    after = _after(paging, filters, scarce_first=scarce_first)
    async with database.read() as session:
        found = await read.list_levels(
            session,
            skus=sku or (),
            sku_prefix=sku_prefix,
            location=location,
            low=low,
            scarce_first=scarce_first,
            after=after,
            limit=paging.limit + 1,
        )
    views = [LevelView.of(level) for level in found]
    return paging.page(
        views,
        filters,
        lambda view: (*((view.available,) if scarce_first else ()), view.sku, view.location),
    )


def _after(
    paging: Paging, filters: Mapping[str, object], *, scarce_first: bool
) -> read.LevelKey | None:
    """Return where the page before ended."""
    if scarce_first:
        key = paging.after(filters, int, str, str)
        return None if key is None else (int(key[0]), str(key[1]), str(key[2]))
    key = paging.after(filters, str, str)
    return None if key is None else (str(key[0]), str(key[1]))


@router.get(
    "/availability",
    # A shop asks with its customers' keys, and nothing here is about another customer.
    dependencies=[Depends(require("inventory:read", customers=True))],
    responses=_CACHE,
    summary="Tell what can be ordered",
)
async def get_availability(
    response: Response,
    database: DatabaseDep,
    sku: Annotated[
        list[Sku],
        Query(description="Which; may be repeated.", min_length=1, max_length=MOST_SKUS),
    ],
) -> AvailabilityList:
    """Return how many units of each SKU an order could have now: 0 of one nobody ever saw.

    It promises nothing: an order decides for itself.
    """
    async with database.read() as session:
        found = await read.availability(session, list(dict.fromkeys(sku)))
    response.headers["Cache-Control"] = _FOR_A_SECOND
    return AvailabilityList(items=[AvailabilityView.of(one) for one in found])


@router.get(
    "/reservations",
    dependencies=[Depends(require("inventory:read"))],
    summary="List reservations",
)
async def list_reservations(
    paging: PagingDep,
    database: DatabaseDep,
    sku: Annotated[
        Sku | None, Query(description="Only those that hold, or held, units of it.")
    ] = None,
    state: Annotated[
        list[ReservationState] | None,
        Query(description="Only in these; may be repeated.", max_length=len(ReservationState)),
    ] = None,
) -> Page[ReservationView]:
    """Return reservations, those of the newest orders first."""
    filters = {"sku": sku, "state": sorted(state or ())}
    before = paging.after(filters, str)
    async with database.snapshot() as session:
        found = await look_up.list_reservations(
            session,
            sku=sku,
            states=state or (),
            before=None if before is None else str(before[0]),
            limit=paging.limit + 1,
        )
    views = [ReservationView.of(one) for one in found]
    return paging.page(views, filters, lambda view: (view.order_id,))


@router.get(
    "/reservations/{order_id}",
    dependencies=[Depends(require("inventory:read"))],
    response_model=ReservationView,
    responses=READ | refuses(ReservationNotFoundError),
    openapi_extra={"parameters": [IF_NONE_MATCH]},
    summary="Get the reservation of an order",
)
async def get_reservation(
    order_id: Annotated[str, Name(64)],
    request: Request,
    response: Response,
    database: DatabaseDep,
) -> Response | ReservationView:
    """Return what became of an order's stock, with its version as ETag."""
    async with database.snapshot() as session:
        held = await look_up.get_reservation(session, order_id)
    if (same := not_modified(request, held.version)) is not None:
        return same
    response.headers["ETag"] = etag(held.version)
    return ReservationView.of(held)


@router.get(
    "/verify",
    dependencies=[Depends(require("inventory:read"))],
    summary="Prove that counters, ledger and reservations agree",
)
async def verify_stock(database: DatabaseDep) -> VerificationView:
    """Add up the whole ledger and every reservation, and compare them with the counters.

    What changes meanwhile is seen whole or not at all. It takes seconds for millions of movements.
    """
    async with database.snapshot() as session:
        checked = await check_drift(session)
    return VerificationView(
        levels_checked=checked.levels, drift=[DriftView.of(one) for one in checked.drifts]
    )
