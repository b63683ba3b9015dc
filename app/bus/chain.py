"""Chains: what became of a request or of an aggregate, from our own tables alone.

A chain is all events of a correlation id in causal order, and beside each event its deliveries. A
cause is committed before its consequence is recorded, so places in the outbox follow causes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Uuid, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.attempts import Attempt, failed_attempts
from app.bus.delivery import State
from app.bus.event import Envelope
from app.bus.sql import rows
from app.bus.tables import delivery, inbox, outbox, subscription
from app.bus.verdict import DeadLettered

MOST_EVENTS = 200
"""So many events of a chain are shown, the first ones."""

_MOST_CORRELATIONS = 20
_MOST_LOOKED_AT = 1_000


class Standing(StrEnum):
    """Where a delivery stands; waiting is what nobody has tried yet."""

    HANDLED = "handled"
    WAITING = "waiting"
    DUE = "due"
    DEAD = "dead"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDelivery:
    """An event for one subscriber.

    started_at is when the transaction began that handled it, all of its batch in one; wait_ms is
    from publication until then, or from recording where it was handled before it was marked.
    finished_at is when that transaction recorded the last consequence of it, None where it has
    none to tell by; run_ms is between the two.
    """

    subscriber: str
    state: Standing
    started_at: datetime | None
    finished_at: datetime | None
    wait_ms: float | None
    run_ms: float | None
    next_attempt_at: datetime | None
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEvent:
    """An event of a chain, and what became of it for everybody who is owed it.

    time is by the clock of the process that made it, all others are by the database's.
    """

    id: UUID
    type: str
    subject: str
    correlation_id: str
    causation_id: UUID | None
    time: datetime
    recorded_at: datetime
    published_at: datetime | None
    log_position: int | None
    stream_id: str | None
    data: Mapping[str, Any]
    deliveries: Sequence[ChainDelivery]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The events of some correlation ids in causal order; truncated when there are more."""

    correlation_ids: Sequence[str]
    events: Sequence[ChainEvent]
    truncated: bool


async def chain_of_subject(session: AsyncSession, subject: str) -> Chain:
    """Return the events about an aggregate and what they led to, whatever else a request did.

    A request may be about many of them, as one for a batch of orders is.
    """
    own = await _page(session, outbox.c.subject == subject, MOST_EVENTS + 1)
    ids = list(dict.fromkeys(row.correlation_id for row in own))
    around = await _of_correlations(session, ids[:_MOST_CORRELATIONS], _MOST_LOOKED_AT + 1)
    known = {row.position: row for row in (*own, *around)}
    kept: dict[UUID, Row[Any]] = {}
    for _, row in sorted(known.items()):
        if row.subject == subject or _cause(row) in kept:
            kept[row.event_id] = row
    cut = (
        len(own) > MOST_EVENTS
        or len(around) > _MOST_LOOKED_AT
        or len(ids) > _MOST_CORRELATIONS
        or len(kept) > MOST_EVENTS
    )
    return await _chain(session, list(kept.values())[:MOST_EVENTS], truncated=cut)


async def chain_of(session: AsyncSession, correlation_id: str) -> Chain:
    """Return the chain of a correlation id, empty when there is none."""
    found = await _page(session, outbox.c.correlation_id == correlation_id, MOST_EVENTS + 1)
    return await _chain(session, found[:MOST_EVENTS], truncated=len(found) > MOST_EVENTS)


async def _page(
    session: AsyncSession, condition: ColumnElement[bool], limit: int
) -> Sequence[Row[Any]]:
    page = select(outbox).where(condition).order_by(outbox.c.position).limit(limit)
    return (await session.execute(page)).all()


async def _of_correlations(
    session: AsyncSession, correlation_ids: Sequence[str], limit: int
) -> Sequence[Row[Any]]:
    """Return the first events of these, each looked for by its own stretch of the index."""
    if not correlation_ids:
        return []
    pages = (
        select(outbox)
        .where(outbox.c.correlation_id == one)
        .order_by(outbox.c.position)
        .limit(limit)
        .subquery()
        for one in correlation_ids
    )
    merged = union_all(*(select(page) for page in pages)).order_by("position").limit(limit)
    return (await session.execute(merged)).all()


def _cause(row: Row[Any]) -> UUID | None:
    return Envelope.model_validate_json(row.envelope).causationid


async def _chain(session: AsyncSession, kept: Sequence[Row[Any]], *, truncated: bool) -> Chain:
    sealed = {row.event_id: Envelope.model_validate_json(row.envelope) for row in kept}
    deliveries = await _deliveries(session, kept, sealed)
    return Chain(
        correlation_ids=list(dict.fromkeys(row.correlation_id for row in kept)),
        events=[
            ChainEvent(
                id=row.event_id,
                type=row.type,
                subject=row.subject,
                correlation_id=row.correlation_id,
                causation_id=sealed[row.event_id].causationid,
                time=sealed[row.event_id].time,
                recorded_at=row.created_at,
                published_at=row.published_at,
                log_position=row.log_position,
                stream_id=row.stream_id,
                data=sealed[row.event_id].data,
                deliveries=deliveries[row.event_id],
            )
            for row in kept
        ],
        truncated=truncated,
    )


async def _deliveries(
    session: AsyncSession, events: Sequence[Row[Any]], sealed: Mapping[UUID, Envelope]
) -> Mapping[UUID, list[ChainDelivery]]:
    """Return the deliveries of each event, by subscriber."""
    recorded = {row.event_id: row for row in events}
    found = await _rows(session, recorded)
    failed = await failed_attempts(session, recorded)
    handlers: dict[UUID, set[str]] = defaultdict(set)
    for row in found:
        if row.handled_at is not None:
            handlers[row.event_id].add(row.subscriber)
    effects: dict[UUID, list[tuple[str, datetime]]] = defaultdict(list)
    for row in events:
        cause = sealed[row.event_id].causationid
        # That somebody gave an event up is no consequence of what another made of it.
        if cause is not None and row.type != DeadLettered.type:
            effects[cause].append((row.context, row.created_at))
    deliveries: dict[UUID, list[ChainDelivery]] = defaultdict(list)
    for row in found:
        event, alone = recorded[row.event_id], handlers[row.event_id] == {row.subscriber}
        ready = [at for at in (event.created_at, event.published_at) if at is not None]
        ended = [
            at
            for context, at in effects[row.event_id]
            # Its own: nobody else handled the event, or they are events of its own name.
            if (alone or context == row.subscriber) and row.handled_at and at >= row.handled_at
        ]
        deliveries[row.event_id].append(
            _delivery(row, ready, ended, failed[row.event_id, row.subscriber])
        )
    return deliveries


async def _rows(session: AsyncSession, event_ids: Iterable[UUID]) -> Sequence[Any]:
    given = rows(session, event_id=(Uuid(), sorted(event_ids)))
    query = (
        select(
            outbox.c.event_id,
            subscription.c.subscriber,
            inbox.c.handled_at,
            delivery.c.state,
            delivery.c.next_attempt_at,
        )
        .select_from(
            given.join(outbox, outbox.c.event_id == given.c.event_id)
            .join(subscription, subscription.c.event_type == outbox.c.type)
            .outerjoin(
                inbox,
                (inbox.c.subscriber == subscription.c.subscriber)
                & (inbox.c.event_id == outbox.c.event_id),
            )
            .outerjoin(
                delivery,
                (delivery.c.subscriber == subscription.c.subscriber)
                & (delivery.c.event_id == outbox.c.event_id),
            )
        )
        .where(
            or_(
                outbox.c.log_position.is_(None),
                outbox.c.log_position > subscription.c.since_log_position,
                inbox.c.handled_at.is_not(None),
                delivery.c.state.is_not(None),
            )
        )
        .order_by(outbox.c.position, subscription.c.subscriber)
    )
    return (await session.execute(query)).all()


def _delivery(
    row: Row[Any], ready: Sequence[datetime], effects: Sequence[datetime], failed: Sequence[Attempt]
) -> ChainDelivery:
    started_at: datetime | None = row.handled_at
    state = Standing.WAITING if started_at is None else Standing.HANDLED
    if row.state is not None:
        state = Standing(State(row.state).value)
    finished_at = max(effects, default=None)
    waited = [started_at - at for at in ready if at <= started_at] if started_at else []
    return ChainDelivery(
        subscriber=row.subscriber,
        state=state,
        started_at=started_at,
        finished_at=finished_at if started_at else None,
        # Where select and mark are two transactions, a quick consumer is done before the mark.
        wait_ms=_ms(min(waited)) if waited else None,
        run_ms=_ms(finished_at - started_at) if started_at and finished_at else None,
        next_attempt_at=row.next_attempt_at,
        attempts=failed,
    )


def _ms(span: timedelta) -> float:
    return round(span.total_seconds() * 1000, 3)
