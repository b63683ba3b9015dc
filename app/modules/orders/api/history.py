"""What happened to an order: as a list, and as a stream of events while it goes on."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import anyio
import structlog
from fastapi import APIRouter, Depends, Request, Response

from app.bus.errors import is_transient
from app.modules.orders.api.asking import OrderId
from app.modules.orders.errors import OrderNotFoundError
from app.modules.orders.models.life import TERMINAL
from app.modules.orders.models.order import HistoryEntry
from app.modules.orders.schemas.life import HistoryView
from app.modules.orders.service import read
from app.web import sse
from app.web.auth import customer_of, require
from app.web.fields import Page
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.sse import EventStream, LastEventId, TooManyStreamsError
from app.web.state import DatabaseDep, Runtime, RuntimeDep
from app.web.versioned import Responses
from app.web.waiting import Watch, watch

router = APIRouter(prefix="/orders/{order_id}", tags=["orders"])

_PAGE = 100
_FOLLOWED: Responses = {
    HTTPStatus.OK.value: {
        "description": "A stream of events, each an entry of the timeline.",
        "content": {EventStream.media_type: {"schema": {"type": "string"}}},
    },
    HTTPStatus.NO_CONTENT.value: {"description": "Nothing will happen to it any more."},
}

log = structlog.get_logger(__name__)


@router.get(
    "/timeline",
    dependencies=[Depends(require("orders:read"))],
    responses=refuses(OrderNotFoundError),
    summary="Read an order's timeline",
)
async def get_timeline(
    order_id: OrderId, request: Request, paging: PagingDep, database: DatabaseDep
) -> Page[HistoryView]:
    """Return what happened to an order, oldest first: one entry for each of its versions."""
    after = paging.after({}, int)
    async with database.read() as session:
        found = await read.timeline(
            session,
            order_id,
            after=0 if after is None else int(after[0]),
            limit=paging.limit + 1,
            customer_id=customer_of(request),
        )
    return paging.page([HistoryView.of(one) for one in found], {}, lambda view: (view.version,))


@router.get(
    "/events",
    dependencies=[Depends(require("orders:read"))],
    status_code=HTTPStatus.OK,
    response_class=EventStream,
    responses=_FOLLOWED | refuses(OrderNotFoundError, TooManyStreamsError),
    summary="Follow an order",
)
async def follow_order(
    order_id: OrderId,
    request: Request,
    runtime: RuntimeDep,
    last_event_id: LastEventId = None,
) -> Response:
    """Send what happened to an order, and what happens to it from now on, as it does.

    Each server-sent event is an entry of the timeline: its id the version, its name the action, its
    data the entry as JSON. The stream goes on after Last-Event-ID, and ends once nothing more can
    happen; from then on the answer is 204, so that a browser does not come back. A comment every 15
    seconds says that it is alive; after an hour it ends, to be asked for anew.
    """
    customer_id = customer_of(request)
    async with runtime.database.read() as session:
        order = await read.get_order(session, order_id, customer_id=customer_id)
    after = min(last_event_id or 0, order.version)
    if after == order.version and order.status in TERMINAL:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    watching = await watch(request, read.versions)
    return EventStream(_messages(runtime, watching, order_id, after))


async def _messages(
    process: Runtime, watching: Watch, order_id: str, after: int
) -> AsyncIterator[str]:
    """Yield what happens to an order after a version, until it ends, or the stream has to."""
    until = anyio.current_time() + sse.LONGEST_S
    yield sse.RETRY
    try:
        while True:
            async with process.database.read() as session:
                entries = await read.timeline(session, order_id, after=after, limit=_PAGE)
            for entry in entries:
                yield _message(entry)
                after = entry.version
                if entry.to_status in TERMINAL:
                    return
            if len(entries) == _PAGE:
                continue
            if process.draining or anyio.current_time() >= until:
                return
            found = await watching.changed(order_id, after, timeout_s=sse.HEARTBEAT_S)
            if found is None:
                yield sse.HEARTBEAT
    except Exception as error:
        # Whoever follows comes back, and goes on where this ended.
        if not is_transient(error):
            raise
        log.warning("database cannot tell what happens to an order", trouble=type(error).__name__)


def _message(entry: HistoryEntry) -> str:
    view = HistoryView.of(entry)
    return sse.message(view.version, view.action, view.model_dump_json())
