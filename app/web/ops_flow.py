"""The REST API of operators: the whole flow at a glance, and what waits in the outbox."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.bus import outbox
from app.bus.flow import Flow, look
from app.web.fields import Page
from app.web.ops_router import ops_router
from app.web.ops_schemas import View
from app.web.paging import PagingDep
from app.web.state import DatabaseDep, Runtime, RuntimeDep

router = ops_router("ops:read")

Rate = float | None


class DatabaseView(View):
    """Which database it is."""

    kind: str
    version: str


class EngineView(View):
    """What the stream engine says of itself; null where it does not tell, or has no bound."""

    kind: Literal["redis", "valkey"] | None
    version: str | None
    persistence: Literal["aof", "rdb", "none"] | None
    policy: str | None
    used_memory_bytes: int | None
    max_memory_bytes: int | None


class IntakeView(View):
    """What is recorded."""

    recorded_per_s: Rate = Field(description="Events; null until two readings were taken.")


class OutboxView(View):
    """What waits to be published."""

    unpublished: int
    unpublished_capped: bool = Field(description="True when there are more than were counted.")
    oldest_age_s: float | None
    published_per_s: Rate


class StreamFlowView(View):
    """A stream; `paused` when it is full, so that its events wait in the database."""

    context: str
    length: int
    added_per_s: Rate
    cap: int
    paused: bool


class PauseView(View):
    """Who paused a subscriber, why, and since when."""

    who: str
    reason: str
    since: datetime


class SubscriberView(View):
    """A subscriber, and what waits for it."""

    name: str
    streams: list[str]
    types: list[str]
    lag: int = Field(
        description="Entries not read; where the engine cannot tell, published events not settled."
    )
    pending: int | None = Field(description="Entries read and not acknowledged.")
    oldest_age_s: float | None = Field(description="Of the oldest entry that is either.")
    critical_time_s: float | None = Field(
        description="From commit to handling, the mean of the last minutes."
    )
    due: int
    due_capped: bool
    dead: int
    dead_capped: bool
    handled_per_s: Rate
    last_read_s: float | None = Field(description="Since a consumer last asked for more.")
    paused: PauseView | None
    held_back: str | None = Field(description="What its loops in this process wait for.")


class LoopView(View):
    """A loop of this process."""

    name: str
    state: str
    beat_age_s: float
    trouble: str | None


class SampleView(View):
    """A moment of the last minutes."""

    at: datetime
    recorded_per_s: Rate
    published_per_s: Rate
    handled_per_s: dict[str, Rate]
    unpublished: int
    lag: dict[str, int | None]


class FlowView(View):
    """Everything at one moment; `engine` is null, and `streams` empty, when it does not answer."""

    at: datetime
    database: DatabaseView
    engine: EngineView | None
    warnings: list[str]
    intake: IntakeView
    outbox: OutboxView
    streams: list[StreamFlowView]
    subscribers: list[SubscriberView]
    loops: list[LoopView]
    history: list[SampleView] = Field(description="The last five minutes, the oldest first.")


class UnpublishedView(View):
    """An event that waits to be published."""

    event_id: UUID
    type: str
    context: str
    subject: str
    correlation_id: str
    recorded_at: datetime
    age_s: float


async def flow_of(runtime: Runtime) -> Flow:
    """Look at the flow from this process."""
    return await look(
        runtime.database,
        runtime.stream,
        cap=runtime.settings.stream_cap,
        monitor=runtime.monitor,
        loops=runtime.health(),
    )


@router.get("/flow", summary="Look at the whole flow")
async def get_flow(runtime: RuntimeDep) -> FlowView:
    """Return rates, backlogs, lags and ages, the loops of this process, and what to look at."""
    return FlowView.model_validate(await flow_of(runtime))


@router.get("/outbox", summary="List unpublished events")
async def list_unpublished(paging: PagingDep, database: DatabaseDep) -> Page[UnpublishedView]:
    """Return the events that wait to be published, the oldest first."""
    after = paging.after({}, int)
    async with database.read() as session:
        found = await outbox.page_of_unpublished(
            session, after=0 if after is None else int(after[0]), limit=paging.limit + 1
        )
    page = paging.page(found, {}, lambda one: (one.position,))
    items = [UnpublishedView.model_validate(one) for one in page.items]
    return Page(items=items, next_cursor=page.next_cursor)
