"""The ledger, page by page, or whole as CSV."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from anyio.lowlevel import checkpoint_if_cancelled
from fastapi import APIRouter, Depends, Query, Request, Response

from app.db import Database
from app.modules.inventory.models.tables import MovementKind, StockMovement
from app.modules.inventory.schemas.places import LocationId
from app.modules.inventory.schemas.stock import MovementView
from app.modules.inventory.service import read
from app.web import tabular
from app.web.auth import require
from app.web.fields import Name, Page, Sku
from app.web.paging import PagingDep
from app.web.problem import field_problem, validation_failed
from app.web.state import DatabaseDep
from app.web.versioned import Responses

ROWS_AT_ONCE = 500
"""How many rows of the CSV are in memory at a time."""

OrderId = Annotated[str, Name(64)]

_COLUMNS = list(MovementView.model_fields)
_RESPONSES: Responses = {
    HTTPStatus.OK.value: {
        "description": "A page of the ledger; with `Accept: text/csv` all of it.",
        "content": tabular.documented(_COLUMNS),
    }
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of the ledger are asked for."""

    sku: str | None
    location: str | None
    kinds: Sequence[MovementKind]
    order_id: str | None

    async def find(
        self, database: Database, *, before: int | None, limit: int
    ) -> Sequence[StockMovement]:
        """Return up to limit of them, newest first, in a session of their own."""
        async with database.read() as session:
            return await read.list_movements(
                session,
                sku=self.sku,
                location=self.location,
                kinds=self.kinds,
                order_id=self.order_id,
                before=before,
                limit=limit,
            )


async def wanted(
    sku: Annotated[Sku | None, Query(description="Only of this one.")] = None,
    location: Annotated[LocationId | None, Query(description="Only there.")] = None,
    kind: Annotated[
        list[MovementKind] | None,
        Query(description="Only these; may be repeated.", max_length=len(MovementKind)),
    ] = None,
    order_id: Annotated[OrderId | None, Query(description="Only for this order.")] = None,
) -> Wanted:
    """Read the filters of the ledger."""
    return Wanted(sku, location, sorted(set(kind or ())), order_id)


WantedDep = Annotated[Wanted, Depends(wanted)]


@router.get(
    "/movements",
    dependencies=[Depends(require("inventory:read"))],
    response_model=Page[MovementView],
    responses=_RESPONSES,
    summary="List stock movements",
)
async def list_movements(
    request: Request,
    response: Response,
    paging: PagingDep,
    asked: WantedDep,
    database: DatabaseDep,
) -> Response | Page[MovementView]:
    """Return the ledger, newest first: every change of every level.

    With `Accept: text/csv` all of it comes as one file, without `limit` and `cursor`. What is
    booked while it is sent may be missing; a connection that breaks off early was not the end.
    """
    response.headers["Vary"] = "Accept"
    if tabular.wanted(request):
        return await _whole(request, asked, database)
    filters = {
        "sku": asked.sku,
        "location": asked.location,
        "kind": asked.kinds,
        "order_id": asked.order_id,
    }
    after = paging.after(filters, int)
    before = None if after is None else int(after[0])
    found = await asked.find(database, before=before, limit=paging.limit + 1)
    return paging.page([MovementView.of(one) for one in found], filters, lambda view: (view.id,))


async def _whole(request: Request, asked: Wanted, database: Database) -> Response:
    """Answer with the whole ledger; the first rows are read before the reply begins."""
    if given := sorted({"limit", "cursor"} & set(request.query_params)):
        detail = "A CSV is the whole list: leave it out, or ask for application/json"
        raise validation_failed([field_problem("query", [name], "csv", detail) for name in given])
    first = await asked.find(database, before=None, limit=ROWS_AT_ONCE)

    async def tables() -> AsyncIterator[list[list[tabular.Cell]]]:
        found = first
        while found:
            yield [list(MovementView.of(one).model_dump(mode="json").values()) for one in found]
            if len(found) < ROWS_AT_ONCE:
                return
            # Sending to somebody who left never waits, so only this notices before a query begins;
            # one cut short costs its connection.
            await checkpoint_if_cancelled()
            # Between two of these no session is open, however slowly the client reads.
            found = await asked.find(database, before=found[-1].id, limit=ROWS_AT_ONCE)

    return tabular.reply(request, "movements.csv", _COLUMNS, tables())
