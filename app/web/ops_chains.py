"""The REST API of operators: what became of a request or of an order, event by event."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Query
from pydantic import Field, JsonValue

from app.bus.chain import MOST_EVENTS, Standing, chain_of, chain_of_subject
from app.errors import AppError
from app.web.fields import Name
from app.web.openapi import refuses
from app.web.ops_router import ops_router
from app.web.ops_schemas import AttemptView, View
from app.web.state import DatabaseDep

router = ops_router("ops:read")

CorrelationId = Annotated[str, Name(128), Field(description="As in `X-Correlation-ID`.")]
Subject = Annotated[str, Name(80), Query(description="What events are about, as an order's id.")]


class ChainNotFoundError(AppError):
    """No event that is kept has this correlation id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = (
        "Look for it by `subject`, such as an order's id; events are kept for APP_RETENTION_DAYS."
    )


class ChainDeliveryView(View):
    """An event for one subscriber: when it was handled, or where it stands."""

    subscriber: str
    state: Standing
    started_at: datetime | None = Field(
        description="When the transaction began that handled it, and its whole batch."
    )
    finished_at: datetime | None = Field(
        description="When that recorded its last consequence; null where it had none."
    )
    wait_ms: float | None = Field(description="From publication to `started_at`.")
    run_ms: float | None = Field(description="From `started_at` to `finished_at`.")
    next_attempt_at: datetime | None
    attempts: list[AttemptView] = Field(description="Those that failed.")


class ChainEventView(View):
    """An event, and its deliveries."""

    id: UUID
    type: str
    subject: str
    correlation_id: str
    causation_id: UUID | None
    time: datetime = Field(description="By the clock of the process that made it.")
    recorded_at: datetime
    published_at: datetime | None
    log_position: int | None
    stream_id: str | None
    data: dict[str, JsonValue]
    deliveries: list[ChainDeliveryView]


class ChainView(View):
    """Events in causal order: those of a correlation id, or about a subject and what came of it."""

    correlation_ids: list[str]
    events: list[ChainEventView] = Field(description=f"The first {MOST_EVENTS} at most.")
    truncated: bool


@router.get("/chains", summary="Get the chains of events about a subject")
async def get_chains_of_subject(subject: Subject, database: DatabaseDep) -> ChainView:
    """Return the events about a subject and what they led to, whatever else a request did.

    There may be none. All are read in one moment.
    """
    async with database.snapshot() as session:
        return ChainView.model_validate(await chain_of_subject(session, subject))


@router.get(
    "/chains/{correlation_id}",
    responses=refuses(ChainNotFoundError),
    summary="Get a chain of events",
)
async def get_chain(correlation_id: CorrelationId, database: DatabaseDep) -> ChainView:
    """Return what a request led to: its events, and what became of each for every subscriber."""
    async with database.snapshot() as session:
        found = await chain_of(session, correlation_id)
    if not found.events:
        raise ChainNotFoundError(f"There is no event of the correlation id {correlation_id}.")
    return ChainView.model_validate(found)
