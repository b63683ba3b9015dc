"""Who asks about orders, on what condition, and what they are answered with."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

import anyio
from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field

from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.schemas.orders import ORDER_ID, OrderView
from app.modules.orders.service import read
from app.modules.orders.service.command import Caller
from app.web import state
from app.web.auth import customer_of
from app.web.conditional import IfMatchDep, etag
from app.web.fields import Name
from app.web.idempotency import Reply
from app.web.waiting import watch

OrderId = Annotated[str, Name(64), Field(examples=[ORDER_ID])]


async def calling(request: Request, versions: IfMatchDep) -> Caller:
    """Return who asks for something to happen to an order, and to which of its versions."""
    return Caller(
        actor=request.state.principal.name, customer_id=customer_of(request), versions=versions
    )


CallerDep = Annotated[Caller, Depends(calling)]


def reply(order: PlacedOrder) -> Reply:
    """Return the answer that shows an order, to be stored under an Idempotency-Key."""
    return Reply(
        status=HTTPStatus.OK, body=OrderView.json_of(order), headers={"ETag": etag(order.version)}
    )


def shown(
    body: BaseModel | str, headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """Return the answer with this body, or its JSON, which is not validated a second time."""
    text = body if isinstance(body, str) else body.model_dump_json()
    return Response(text, status, headers, "application/json")


async def waited_for(
    request: Request,
    order_id: str,
    wait_s: float,
    *,
    seen: int,
    goes_on: Callable[[PlacedOrder], bool],
) -> PlacedOrder:
    """Return an order as it stands once the waiting need not go on, or after wait_s.

    Its version was `seen`. Meanwhile nothing of the database is held. Ends early when the process
    is about to stop; raises OrderNotFoundError.
    """
    process = await state.runtime(request)
    watching = await watch(request, read.versions)
    until = anyio.current_time() + wait_s
    while True:
        left_s = max(0.0, until - anyio.current_time())
        found = await watching.changed(order_id, seen, timeout_s=left_s)
        async with process.database.read() as session:
            order = await read.get_order(session, order_id, customer_id=customer_of(request))
        if found is None or not goes_on(order):
            return order
        seen = order.version


def is_pending(order: PlacedOrder) -> bool:
    """Tell whether nothing came of an order yet; for `waited_for`."""
    return order.status is OrderStatus.PENDING
