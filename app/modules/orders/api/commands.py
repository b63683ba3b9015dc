"""What somebody asks of an order: confirm it, hold it for longer, call it off."""

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.orders.api.asking import CallerDep, OrderId, reply
from app.modules.orders.errors import (
    ExtendLimitError,
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.schemas.life import Cancellation, Confirmation, Extension
from app.modules.orders.schemas.orders import OrderView
from app.modules.orders.service import hold
from app.modules.orders.service.cancel import cancel
from app.web.auth import require
from app.web.idempotency import KEYED, Reply, once
from app.web.openapi import refuses
from app.web.state import SettingsDep
from app.web.versioned import SHOWN

router = APIRouter(prefix="/orders/{order_id}", tags=["orders"])

_REFUSED = (OrderNotFoundError, OrderStateConflictError, PreconditionFailedError)


@router.post(
    "/confirm",
    dependencies=[Depends(require("orders:write"))],
    response_model=OrderView,
    responses=SHOWN | refuses(*_REFUSED),
    openapi_extra=KEYED,
    summary="Confirm an order",
)
async def confirm_order(
    order_id: OrderId, request: Request, caller: CallerDep, body: Confirmation | None = None
) -> Response:
    """Confirm an order whose stock is held.

    It counts as long as the order is `reserved`, even when its hold should have ended by now.
    """

    async def work(session: AsyncSession) -> Reply:
        return reply(await hold.confirm(session, order_id, caller))

    return await once(request, body or Confirmation(), work)


@router.post(
    "/extend",
    dependencies=[Depends(require("orders:write"))],
    response_model=OrderView,
    responses=SHOWN | refuses(*_REFUSED, ExtendLimitError),
    openapi_extra=KEYED,
    summary="Hold an order for longer",
)
async def extend_order(
    order_id: OrderId,
    request: Request,
    caller: CallerDep,
    settings: SettingsDep,
    body: Extension | None = None,
) -> Response:
    """Hold an order's stock for so many seconds from now on; a hold never gets shorter."""
    asked = body or Extension()

    async def work(session: AsyncSession) -> Reply:
        return reply(
            await hold.extend(
                session, order_id, caller, seconds=asked.seconds, limit_s=settings.hold_limit_s
            )
        )

    return await once(request, asked, work)


@router.post(
    "/cancel",
    dependencies=[Depends(require("orders:write"))],
    response_model=OrderView,
    responses=SHOWN | refuses(*_REFUSED),
    openapi_extra=KEYED,
    summary="Cancel an order",
)
async def cancel_order(
    order_id: OrderId, request: Request, caller: CallerDep, body: Cancellation | None = None
) -> Response:
    """Call an order off, or what is left of it; whatever is still held for it goes back.

    Units that have left stay gone: the lines say how many. Refused while units of it are in a
    fulfillment under way: that is cancelled first, or waited for.
    """
    asked = body or Cancellation()

    async def work(session: AsyncSession) -> Reply:
        return reply(await cancel(session, order_id, caller, reason=asked.reason))

    return await once(request, asked, work)
