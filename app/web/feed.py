"""The REST API of events: published history as a feed to pull, and the shape of each type."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import history, outbox
from app.bus.catalogue import EventType, catalogue, kinds
from app.bus.event import Envelope
from app.bus.history import HistoryGoneError, NoSuchPlaceError, Slice
from app.errors import AppError
from app.web import state
from app.web.auth import principal, require
from app.web.fields import Name, Page
from app.web.limits import known_parameters
from app.web.openapi import refuses
from app.web.ops_schemas import TypeName
from app.web.paging import InvalidCursorError, Limit, Paging
from app.web.problem import field_problem, validation_failed
from app.web.state import Runtime, RuntimeDep
from app.web.waiting import MOST_WAITING, preference, watch

_LATEST = "latest"
_HEAD = "head"

router = APIRouter(
    prefix="/v1",
    tags=["events"],
    dependencies=[
        Depends(principal),
        Depends(require("events:read")),
        Depends(known_parameters),
    ],
)


class CursorTooOldError(AppError):
    """Events behind the cursor are no longer kept, so that reading on would leave a gap unsaid."""

    status: ClassVar[HTTPStatus] = HTTPStatus.GONE
    code: ClassVar[str] = "cursor_too_old"
    title: ClassVar[str] = "The cursor is older than what is kept"
    remedy: ClassVar[str] = (
        "Read the current state by the other lists, and begin the feed anew without `after`: it "
        "starts with the oldest event that is kept. APP_RETENTION_DAYS says for how long that is."
    )


class EventTypeNotFoundError(AppError):
    """No event of this build has this wire type."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/event-types` lists every type."


class EventPage(BaseModel):
    """Part of the feed. `next_cursor` is always there: keep it, and send it as `after`."""

    model_config = ConfigDict(frozen=True)

    items: list[Envelope]
    next_cursor: str
    has_more: bool = Field(description="True when there is more to read at once.")


class EventTypeView(BaseModel):
    """A type of event: its wire name, what it says, who hears it, and where its schema is."""

    model_config = ConfigDict(frozen=True)

    type: str
    context: str = Field(description="Who publishes it.")
    subject: str = Field(description="The field of `data` that names what the event is about.")
    description: str
    json_schema: str = Field(description="Path of the JSON Schema of its `data`.")
    subscribers: list[str] = Field(description="Who hears it, in this build.")
    older_versions: list[str] = Field(description="Types that whoever hears it reads as well.")
    example: Envelope | None = Field(description="One as it could be; null where none is given.")

    @classmethod
    def of(cls, one: EventType) -> "EventTypeView":
        """Return what is shown of a type."""
        return cls(
            type=one.type,
            context=one.context,
            subject=one.subject_field,
            description=one.description,
            json_schema=f"/v1/event-types/{one.type}",
            subscribers=[each.subscriber for each in one.subscriptions],
            older_versions=list(one.older_versions),
            example=None if one.example is None else Envelope.model_validate(one.example),
        )


async def wanted_types(
    types: Annotated[
        list[TypeName] | None,
        Query(
            description="Only these; may be repeated.",
            max_length=100,
            examples=[["orders.order_created.v1"]],
        ),
    ] = None,
) -> frozenset[str]:
    """Read the filter; a misspelt type is refused, because it would be waited for in vain."""
    asked = frozenset(types or ())
    known = {name for kind in kinds() for name in (kind.type, *kind.upcasts)}
    unknown = sorted(asked - known)
    if unknown:
        raise validation_failed(
            [
                field_problem("query", ["types"], "unknown_type", f"There are no events {one!r}")
                for one in unknown
            ]
        )
    return asked


@router.get(
    "/events",
    response_model=EventPage,
    responses=refuses(CursorTooOldError, InvalidCursorError),
    summary="Read the feed of events",
    openapi_extra={
        "parameters": [
            {
                "name": "Prefer",
                "in": "header",
                "schema": {"type": "string"},
                "description": "`wait=N`: answer an empty page after N seconds only, 30 at most; "
                f"at once, and without `Preference-Applied`, while {MOST_WAITING} requests wait.",
                "example": "wait=20",
            }
        ]
    },
)
async def read_events(
    request: Request,
    runtime: RuntimeDep,
    types: Annotated[frozenset[str], Depends(wanted_types)],
    limit: Limit = 50,
    after: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the page before; `latest` for what is yet to come; "
            "without it, the oldest event kept comes first."
        ),
    ] = None,
) -> Response:
    """Return published events in the order of their publication: each once, and none left out.

    The order is fixed at first publication, so a cursor never skips what commits later. Filters
    may change from page to page.
    """
    paging = Paging(limit, None if after == _LATEST else after, request.url.path)
    key = paging.after({}, int)
    position = None if key is None else int(key[0])
    if after == _LATEST:
        async with runtime.database.read() as session:
            position = await outbox.head(session)
    page = await _read(runtime, position, types, limit)
    preferred = preference(request)
    if preferred.wait_s:
        page = await _wait(request, page, types, limit, preferred.wait_s)
    next_cursor = paging.cursor_at({}, page.position)
    # The envelopes are JSON already, as they were put on the stream.
    text = (
        f'{{"items":[{",".join(page.envelopes)}],"next_cursor":"{next_cursor}",'
        f'"has_more":{"false" if page.is_last else "true"}}}'
    )
    headers = {"Cache-Control": "no-store", **preferred.applied}
    return Response(text, headers=headers, media_type="application/json")


async def _read(runtime: Runtime, position: int | None, types: frozenset[str], limit: int) -> Slice:
    try:
        async with runtime.database.read() as session:
            return await history.read(session, after=position, types=types, limit=limit)
    except HistoryGoneError as error:
        raise CursorTooOldError(f"{error} The cursor is older.") from error
    except NoSuchPlaceError as error:
        msg = f"{error} The cursor is past that: it is from another database."
        raise InvalidCursorError(msg) from error


async def _wait(
    request: Request, page: Slice, types: frozenset[str], limit: int, wait_s: int
) -> Slice:
    """Read on while there is nothing, until wait_s have passed or the process stops."""
    process = await state.runtime(request)
    watching = await watch(request, _look)
    until = anyio.current_time() + wait_s
    while not page.envelopes and anyio.current_time() < until:
        if page.is_last:
            left_s = until - anyio.current_time()
            found = await watching.changed(_HEAD, page.position, timeout_s=left_s)
            if found is None:
                break
        page = await _read(process, page.position, types, limit)
    return page


async def _look(session: AsyncSession, keys: Collection[str]) -> Mapping[str, int]:
    position = await outbox.head(session)
    return dict.fromkeys(keys, position)


@router.get("/event-types", summary="List the types of events")
async def list_event_types(runtime: RuntimeDep) -> Page[EventTypeView]:
    """Return every type this build publishes, by name, in its newest version."""
    types = catalogue(kinds(), runtime.subscribers)
    return Page(items=[EventTypeView.of(one) for one in types.values()])


@router.get(
    "/event-types/{type}",
    responses=refuses(EventTypeNotFoundError),
    summary="Get the JSON Schema of a type of events",
)
async def get_event_type(
    type: Annotated[str, Name(120), Field(examples=["orders.order_created.v1"])],  # noqa: A002 - its name on the wire
) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the `data` of its envelopes.

    Its `x-subject` is the member that names what the event is about.
    """
    kind = catalogue(kinds()).get(type)
    if kind is None:
        raise EventTypeNotFoundError(f"There are no events of the type {type}.")
    return dict(kind.schema)
