"""The REST API of operators: what they did, and how far it is."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.bus import action as actions, dead_letters
from app.bus.action import ActionFilter, ActionKind
from app.web.fields import Name, Page
from app.web.openapi import refuses
from app.web.ops_refusals import NotFoundError, refusals
from app.web.ops_router import ops_router
from app.web.ops_schemas import ActionView, DeadLetterSummary, ProgressView, SubscriberName
from app.web.paging import PagingDep, uuid_of
from app.web.state import DatabaseDep

router = ops_router("ops:read")


@router.get("/actions", summary="List what operators did")
async def list_actions(
    paging: PagingDep,
    database: DatabaseDep,
    action: Annotated[ActionKind | None, Query()] = None,
    subscriber: Annotated[SubscriberName | None, Query()] = None,
    who: Annotated[str | None, Name(80), Query(description="A key's id, `key` or `open`.")] = None,
) -> Page[ActionView]:
    """Return actions, the newest first; with filters, those that meet all of them."""
    wanted = ActionFilter(action=action, subscriber=subscriber, who=who)
    filters = wanted.described()
    after = paging.after(filters, str)
    async with database.read() as session:
        found = await actions.page_of_actions(
            session,
            before=None if after is None else uuid_of(after[0]),
            limit=paging.limit + 1,
            wanted=wanted,
        )
    views = [ActionView.of(one) for one in found]
    return paging.page(views, filters, lambda one: (str(one.id),))


@router.get(
    "/actions/{action_id}",
    responses=refuses(NotFoundError),
    summary="Get an action and how far it is",
)
async def get_action(action_id: UUID, database: DatabaseDep) -> ProgressView:
    """Return an action, and its deliveries that have not succeeded by state."""
    with refusals():
        async with database.read() as session:
            return ProgressView.at(await actions.progress(session, action_id))


@router.get(
    "/actions/{action_id}/deliveries",
    responses=refuses(NotFoundError),
    summary="List what is left of an action",
)
async def list_action_deliveries(
    action_id: UUID, paging: PagingDep, database: DatabaseDep
) -> Page[DeadLetterSummary]:
    """Return the deliveries of an action that have not succeeded, the newest event first.

    What succeeded has no row any more; what a later action took up is that one's.
    """
    after = paging.after({}, str, str)
    before = None if after is None else (uuid_of(after[0]), str(after[1]))
    with refusals():
        async with database.read() as session:
            await actions.get(session, action_id)
            found = await dead_letters.page_of_action(
                session, action_id, before=before, limit=paging.limit + 1
            )
    views = [DeadLetterSummary.of(one) for one in found]
    return paging.page(views, {}, lambda one: (str(one.event_id), one.subscriber))
