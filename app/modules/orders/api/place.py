"""Orders placed, one by one or many at once."""

from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import is_transient
from app.errors import AppError
from app.modules.orders.api.asking import is_pending, shown, waited_for
from app.modules.orders.errors import (
    CurrencyMixedError,
    DuplicateReferenceError,
    InactiveProductError,
    OrderNotFoundError,
    PriceChangedError,
    TotalTooLargeError,
    UnknownSkuError,
)
from app.modules.orders.models.order import OrderDraft
from app.modules.orders.schemas.orders import (
    NewOrder,
    NewOrders,
    OrderView,
)
from app.modules.orders.schemas.outcomes import OutcomesView, OutcomeView
from app.modules.orders.service import read
from app.modules.orders.service.place import place_each
from app.web import state
from app.web.auth import customer_of, require
from app.web.conditional import etag
from app.web.idempotency import KEYED, Asked, Reply, asking, once, once_each
from app.web.openapi import refuses
from app.web.overload import not_overloaded
from app.web.principal import NotForCustomersError
from app.web.problem import Problem, field_problem, instance, validation_failed
from app.web.versioned import MADE
from app.web.waiting import PREFER, Preference, preference

router = APIRouter(prefix="/orders", tags=["orders"])

_NOT_TAKEN = (
    CurrencyMixedError,
    InactiveProductError,
    PriceChangedError,
    TotalTooLargeError,
    UnknownSkuError,
    DuplicateReferenceError,
    NotForCustomersError,
)

log = structlog.get_logger(__name__)


@router.post(
    "",
    dependencies=[Depends(require("orders:write")), Depends(not_overloaded)],
    status_code=HTTPStatus.CREATED,
    response_model=OrderView,
    responses=MADE | refuses(*_NOT_TAKEN),
    openapi_extra={"parameters": [*KEYED["parameters"], PREFER]},
    summary="Place an order",
)
async def place_order(order: NewOrder, request: Request) -> Response:
    """Take the order as `pending`, at the prices of this moment.

    Events then make it `confirmed` or, with `confirm: manual`, `reserved`; or `rejected` with every
    short line listed. All lines are reserved, or none. With `Prefer: wait=N` the answer shows what
    came of it; so does that of a repeat with the same Idempotency-Key, which else is the first
    answer once more.
    """
    [draft] = _drafts(request, [order], [()])
    asked = asking(request, order, draft)
    database = state.running(request).database
    try:
        response = await database.together(_place_once, asked, weight=len(draft.lines))
    except DuplicateReferenceError as refusal:
        async with database.read() as session:
            raise await _for_client(request, session, refusal) from None
    structlog.contextvars.bind_contextvars(order_id=_order_id(response))
    preferred = preference(request)
    if preferred.wait_s:
        return await _decided(request, response, preferred)
    if preferred.applied:
        response.headers.update(preferred.applied)
    return response


async def _place_once(
    session: AsyncSession, asked: Sequence[Asked[OrderDraft]]
) -> list[Response | AppError]:
    return await once_each(session, asked, _place)


async def _place(session: AsyncSession, drafts: Sequence[OrderDraft]) -> list[Reply | AppError]:
    return [
        outcome
        if isinstance(outcome, AppError)
        else Reply(
            status=HTTPStatus.CREATED,
            body=OrderView.json_of(outcome),
            headers={"Location": f"/v1/orders/{outcome.id}", "ETag": etag(outcome.version)},
        )
        for outcome in await place_each(session, drafts)
    ]


def _order_id(response: Response) -> str:
    # Headers as a mapping cost more than all else that is done with an answer.
    [location] = (value for name, value in response.raw_headers if name == b"location")
    return location.decode("latin-1").rpartition("/")[2]


async def _decided(request: Request, response: Response, preferred: Preference) -> Response:
    """Wait for what comes of an order that was placed, and answer with that in place of response.

    The order is placed whatever happens to the waiting, so a database that is away by now does not
    make a failure of it.
    """
    order_id = _order_id(response)
    seen = int(response.headers["etag"].strip('"'))
    try:
        order = await waited_for(
            request, order_id, preferred.wait_s or 0, seen=seen, goes_on=is_pending
        )
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("database cannot say what came of an order", trouble=type(error).__name__)
        return response
    kept = ("location", "idempotency-replayed")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    headers |= {"ETag": etag(order.version), **preferred.applied}
    return shown(OrderView.json_of(order), headers, HTTPStatus.CREATED)


@router.post(
    "/batch",
    dependencies=[Depends(require("orders:write")), Depends(not_overloaded)],
    response_model=OutcomesView,
    responses=refuses(NotForCustomersError),
    openapi_extra=KEYED,
    summary="Place many orders",
)
async def place_orders(batch: NewOrders, request: Request) -> Response:
    """Take every order of the batch that can be taken, and say of the others why not.

    What does not fit the schema refuses the whole batch; everything else only the order it is
    about. Those that are taken are one transaction, and an Idempotency-Key covers them all.
    """
    places = [("orders", number) for number in range(len(batch.orders))]
    drafts = _drafts(request, batch.orders, places)

    async def work(session: AsyncSession) -> Reply:
        results = []
        for outcome in await place_each(session, drafts):
            if isinstance(outcome, AppError):
                refusal = await _for_client(request, session, outcome)
                problem = _problem(request, refusal)
                results.append(OutcomeView(status=problem.status, problem=problem))
            else:
                order = OrderView.of(outcome)
                results.append(OutcomeView(status=HTTPStatus.CREATED, order=order))
        return Reply(status=HTTPStatus.OK, body=OutcomesView(results=results))

    return await once(request, batch, work)


def _drafts(
    request: Request, orders: Sequence[NewOrder], places: Sequence[tuple[str | int, ...]]
) -> list[OrderDraft]:
    """Return what to place, once it is certain that the client may and the settings allow it.

    places are where the orders are in the body.
    """
    settings = state.running(request).settings
    customer_id = customer_of(request)
    limit_s = settings.hold_limit_s
    unfit = []
    for place, order in zip(places, orders, strict=True):
        if customer_id is not None and order.customer_id != customer_id:
            raise NotForCustomersError(f"This key places orders for customer {customer_id} only.")
        if order.hold_seconds is not None and order.hold_seconds > limit_s:
            detail = f"Input should be less than or equal to {limit_s}"
            path = (*place, "hold_seconds")
            unfit.append(field_problem("body", path, "less_than_equal", detail))
    if unfit:
        raise validation_failed(unfit)
    actor = request.scope["state"]["principal"].name
    return [order.draft(hold_s=min(settings.hold_s, limit_s), actor=actor) for order in orders]


async def _for_client(request: Request, session: AsyncSession, refusal: AppError) -> AppError:
    """Return a refusal as the client may see it: without the id of another customer's order."""
    customer_id = customer_of(request)
    if customer_id is None or not isinstance(refusal, DuplicateReferenceError):
        return refusal
    try:
        await read.get_order(session, str(refusal.extra["existing_id"]), customer_id=customer_id)
    except OrderNotFoundError:
        return DuplicateReferenceError("Another order already carries this reference.")
    return refusal


def _problem(request: Request, refusal: AppError) -> Problem:
    return Problem(
        type=f"/problems/{refusal.code}",
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        instance=instance(request.scope),
        code=refusal.code,
        retryable=refusal.retryable,
        **refusal.extra,  # type: ignore[arg-type]  # a code's own members
    )
