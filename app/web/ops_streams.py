"""The REST API of operators: streams with their groups, consumers and oldest pending entries."""

from datetime import datetime

from pydantic import Field

from app.bus import settled
from app.bus.reading import streams_of
from app.web.fields import Page
from app.web.ops_router import ops_router
from app.web.ops_schemas import View
from app.web.problem import UnavailableError
from app.web.state import RuntimeDep

router = ops_router("ops:read")

_OLDEST = 20


class ConsumerView(View):
    """One consumer of a group: a process that reads, or one that is gone."""

    name: str
    pending: int
    idle_s: float = Field(description="Since it last asked for anything.")
    inactive_s: float | None = Field(description="Since it was last given anything.")


class PendingView(View):
    """An entry that a consumer was given and has not acknowledged."""

    entry_id: str
    consumer: str
    idle_s: float
    deliveries: int


class StreamGroupView(View):
    """How far a subscriber's group is on a stream."""

    subscriber: str
    pending: int
    lag: int | None = Field(description="Entries not read; null where the engine cannot tell.")
    last_delivered_id: str
    entries_read: int | None
    oldest_age_s: float | None
    consumers: list[ConsumerView]
    oldest_pending: list[PendingView] = Field(description=f"The oldest {_OLDEST} at most.")


class StreamDetail(View):
    """A context's stream."""

    context: str
    key: str
    length: int
    added: int = Field(description="Entries it was ever given.")
    first_id: str | None
    last_id: str | None
    last_at: datetime | None
    groups: list[StreamGroupView]


@router.get("/streams", summary="List streams with their groups and consumers")
async def list_streams(runtime: RuntimeDep) -> Page[StreamDetail]:
    """Return the streams that somebody is registered for; 503 while the engine does not answer."""
    async with runtime.database.read() as session:
        registry = await settled.registry(session)
    found = await streams_of(runtime.stream, registry, most_pending=_OLDEST)
    if found is None:
        msg = "The stream engine does not answer; orders are taken, and their events wait."
        raise UnavailableError(msg, headers={"Retry-After": "1"})
    return Page(
        items=[
            StreamDetail(
                context=view.context,
                key=runtime.stream.key(view.context),
                length=view.length,
                added=view.added,
                first_id=view.first_id,
                last_id=view.last_id,
                last_at=view.last_at,
                groups=[StreamGroupView.model_validate(group) for group in view.groups],
            )
            for view in found.values()
        ]
    )
