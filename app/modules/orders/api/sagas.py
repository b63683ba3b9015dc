"""Orders that are stuck: what an operator looks at first."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.modules.orders.models.order import Wait
from app.modules.orders.schemas.life import StuckView
from app.modules.orders.service.stuck import StuckAfter, stuck
from app.web.auth import require
from app.web.fields import Page, Whole
from app.web.paging import InvalidCursorError, PagingDep
from app.web.state import DatabaseDep

router = APIRouter(prefix="/ops", tags=["ops"])

_LONGEST_S = 315_360_000


@router.get("/sagas", dependencies=[Depends(require("ops:read"))], summary="List stuck orders")
async def list_stuck_orders(
    paging: PagingDep,
    database: DatabaseDep,
    older_than_s: Annotated[
        Whole, Query(le=_LONGEST_S, description="Seconds it has waited, at least.")
    ] = 60,
    waits_for: Annotated[
        list[Wait] | None,
        Query(description="Only those; may be repeated.", max_length=len(Wait)),
    ] = None,
) -> Page[StuckView]:
    """Return orders that wait for longer than they should, the longest first.

    Empty when all is well: a worker that is down, or a dead letter, shows here.
    """
    waits = sorted(set(waits_for or Wait))
    filters = {"older_than_s": older_than_s, "waits_for": waits}
    after = paging.after(filters, str, str)
    async with database.read() as session:
        found = await stuck(
            session,
            older_than_s=older_than_s,
            waits=waits,
            after=None if after is None else StuckAfter(_moment(after[0]), str(after[1])),
            limit=paging.limit + 1,
        )
    page = paging.page(found, filters, lambda one: (one.since.isoformat(), one.id))
    return Page(items=[StuckView.of(one) for one in page.items], next_cursor=page.next_cursor)


def _moment(part: str | int) -> datetime:
    try:
        moment = datetime.fromisoformat(str(part))
        if moment.tzinfo is not None:
            # At either end of time there is no such moment in UTC, and a cursor can be forged.
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = "The cursor is not one this list returned; begin without it."
    raise InvalidCursorError(msg)
