"""The REST API of operators: dead letters, redrive, replay and fill, over the bus's functions."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import dead_letters
from app.bus.action import Action
from app.bus.attempts import failed_attempts
from app.bus.dead_letters import Filter
from app.bus.delivery import State
from app.bus.dry_run import dry_run
from app.bus.redrive import discard, redrive, redrive_all
from app.bus.replay import count_fill, count_replay, fill, replay
from app.web.auth import Who
from app.web.fields import Page
from app.web.idempotency import KEYED, Reply, once
from app.web.openapi import refuses
from app.web.ops_refusals import NoHandlerError, NotDeadError, NotFoundError, refusals
from app.web.ops_router import ops_router
from app.web.ops_schemas import (
    ActionView,
    DeadLetterSummary,
    DeadLetterView,
    Discard,
    DryRunView,
    ErrorType,
    Fill,
    GroupView,
    Matching,
    Moment,
    RedriveMany,
    RedrivenView,
    RedriveOne,
    Replay,
    SubscriberName,
    TypeName,
)
from app.web.paging import PagingDep, uuid_of
from app.web.state import DatabaseDep, RuntimeDep

_COUNTED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK: {"model": Matching, "description": "With `dry_run`: the count."}
}

looking = ops_router("ops:read")
acting = ops_router("ops")


async def filtered(  # noqa: PLR0913, PLR0917 - one parameter per filter
    state: Annotated[State, Query()] = State.DEAD,
    subscriber: Annotated[SubscriberName | None, Query()] = None,
    type: Annotated[TypeName | None, Query()] = None,  # noqa: A002 - its name on the wire
    error_type: Annotated[ErrorType | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Changed then or later.")] = None,
    until: Annotated[Moment | None, Query(description="Changed before.")] = None,
) -> Filter:
    """Read the filters of a list."""
    return Filter(
        state=state,
        subscriber=subscriber,
        type=type,
        error_type=error_type,
        since=since,
        until=until,
    )


FilterDep = Annotated[Filter, Depends(filtered)]


@looking.get("/dead-letters", summary="List dead letters")
async def list_dead_letters(
    paging: PagingDep, wanted: FilterDep, database: DatabaseDep
) -> Page[DeadLetterSummary]:
    """Return deliveries that were given up, the newest event first; with `state`, the others."""
    filters = wanted.described()
    after = paging.after(filters, str, str)
    before = None if after is None else (uuid_of(after[0]), str(after[1]))
    async with database.read() as session:
        found = await dead_letters.page_of_letters(
            session, wanted, before=before, limit=paging.limit + 1
        )
    views = [DeadLetterSummary.of(one) for one in found]
    return paging.page(views, filters, lambda one: (str(one.event_id), one.subscriber))


@looking.get("/dead-letters/groups", summary="Count dead letters by what went wrong")
async def count_dead_letters(
    paging: PagingDep, wanted: FilterDep, database: DatabaseDep
) -> Page[GroupView]:
    """Return how many there are by subscriber, type and error, with the first and last time."""
    filters = wanted.described()
    key = paging.after(filters, str, str, str)
    after = None if key is None else (str(key[0]), str(key[1]), str(key[2]))
    async with database.read() as session:
        found = await dead_letters.page_of_groups(
            session, wanted, after=after, limit=paging.limit + 1
        )
    views = [GroupView.model_validate(group) for group in found]
    return paging.page(views, filters, lambda one: (one.subscriber, one.type, one.error_type))


@looking.get(
    "/dead-letters/{subscriber}/{event_id}",
    responses=refuses(NotFoundError),
    summary="Get a dead letter",
)
async def get_dead_letter(
    subscriber: SubscriberName, event_id: UUID, database: DatabaseDep
) -> DeadLetterView:
    """Return a delivery with its event, its error, and what an operator changed in it."""
    with refusals():
        async with database.read() as session:
            found = await dead_letters.letter(session, subscriber, event_id)
            attempts = await failed_attempts(session, [event_id])
            return DeadLetterView.made_of(found, attempts[event_id, subscriber])


@acting.post(
    "/dead-letters/{subscriber}/{event_id}/redrive",
    responses=refuses(NotFoundError, NotDeadError, NoHandlerError),
    summary="Redrive a dead letter",
)
async def redrive_dead_letter(
    subscriber: SubscriberName,
    event_id: UUID,
    who: Who,
    runtime: RuntimeDep,
    asked: RedriveOne | None = None,
) -> RedrivenView | DryRunView:
    """Run it now and say what happened, or with `dry_run` what would happen.

    `data` replaces the event's data, and must fit its class; id, type, time and subject stay. What
    was discarded can be redriven as well.
    """
    asked = asked or RedriveOne()
    which = (runtime.database, runtime.subscribers, subscriber, event_id)
    times, data = runtime.settings.timeouts, asked.data
    with refusals():
        if asked.dry_run:
            return DryRunView.of(await dry_run(*which, data=data, timeouts=times))
        return RedrivenView.of(await redrive(*which, who=who, data=data, timeouts=times))


@acting.post(
    "/dead-letters/{subscriber}/{event_id}/discard",
    response_model=ActionView,
    responses=refuses(NotFoundError, NotDeadError),
    openapi_extra=KEYED,
    summary="Discard a dead letter",
)
async def discard_dead_letter(
    subscriber: SubscriberName, event_id: UUID, who: Who, asked: Discard, request: Request
) -> Response:
    """Waive it for a reason, which is kept. A redrive takes this back."""

    async def work(session: AsyncSession) -> Reply:
        with refusals():
            done = await discard(session, subscriber, event_id, who=who, reason=asked.reason)
        return Reply(status=HTTPStatus.OK, body=ActionView.of(done))

    return await once(request, asked, work)


@acting.post(
    "/dead-letters/redrive",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ActionView,
    responses=_COUNTED,
    openapi_extra=KEYED,
    summary="Redrive many dead letters",
)
async def redrive_dead_letters(who: Who, asked: RedriveMany, request: Request) -> Response:
    """Make all that match due at once; the workers run them, and the action tells how far."""

    async def work(session: AsyncSession) -> Reply:
        if asked.dry_run:
            total = await dead_letters.count(session, asked.wanted)
            return Reply(status=HTTPStatus.OK, body=Matching(total=total))
        return _accepted(await redrive_all(session, asked.wanted, who=who))

    return await once(request, asked, work)


@acting.post(
    "/replay",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ActionView,
    responses=refuses(NotFoundError) | _COUNTED,
    openapi_extra=KEYED,
    summary="Replay history for a subscriber",
)
async def replay_history(
    who: Who, asked: Replay, request: Request, database: DatabaseDep
) -> Response:
    """Have a subscriber handle again what it handled of a part of history: once more each."""
    if asked.dry_run:
        # Not in the transaction of a key: counting takes long, and nothing is changed.
        with refusals():
            async with database.read() as session:
                return _counted(await count_replay(session, asked.subscriber, asked.span))

    async def work(session: AsyncSession) -> Reply:
        with refusals():
            return _accepted(await replay(session, asked.subscriber, asked.span, who=who))

    return await once(request, asked, work)


@acting.post(
    "/fill",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ActionView,
    responses=refuses(NotFoundError) | _COUNTED,
    openapi_extra=KEYED,
    summary="Give a subscriber the history from before it came",
)
async def fill_subscriber(
    who: Who, asked: Fill, request: Request, database: DatabaseDep
) -> Response:
    """Have a subscriber handle all retained events of its types from before it registered."""
    if asked.dry_run:
        with refusals():
            async with database.read() as session:
                return _counted(await count_fill(session, asked.subscriber))

    async def work(session: AsyncSession) -> Reply:
        with refusals():
            return _accepted(await fill(session, asked.subscriber, who=who))

    return await once(request, asked, work)


def _counted(total: int) -> Response:
    return JSONResponse(Matching(total=total).model_dump())


def _accepted(done: Action) -> Reply:
    return Reply(
        status=HTTPStatus.ACCEPTED,
        body=ActionView.of(done),
        headers={"Location": f"/v1/ops/actions/{done.id}"},
    )


router = APIRouter()
router.include_router(looking)
router.include_router(acting)
