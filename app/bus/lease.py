"""Leases on due rows: a claim counts the attempt before it is made, and ends by itself.

The database's clock decides when a row is ripe and when a claim has run out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    FromClause,
    Integer,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.delivery import PARKED_S, UNFINISHED_LIMIT, Reason
from app.bus.prepared import prepared
from app.bus.sql import code, later, now
from app.bus.tables import delivery, outbox

# Spelled out and not bound, so that both databases see that the partial indexes fit.
_IS_DUE = delivery.c.state == literal_column("'due'")
_IS_SUSPECT = delivery.c.unfinished > literal_column("0")
_IS_WORN = delivery.c.unfinished >= literal_column(str(UNFINISHED_LIMIT))

_SUBSCRIBER = bindparam("the_subscriber", type_=code(80))


@dataclass(frozen=True, slots=True)
class Due:
    """A due row as it was claimed: its attempts tell this claim from every later one."""

    event_id: UUID
    attempts: int
    envelope: str
    reason: str


async def claim(  # noqa: PLR0913 - what, how many, for how long
    session: AsyncSession,
    subscriber: str,
    types: Collection[str],
    *,
    limit: int,
    lease_s: float,
    deaths: int = 0,
) -> list[Due]:
    """Take rows whose time has come, of types this build can run, and count the attempt.

    To be committed before they run, so that an attempt that kills the process counts. deaths says
    of how many of their attempts nobody ever heard again: such rows are suspects. Rows another
    worker is taking are passed over; a claim that is not finished in lease_s is anybody's again.
    """
    ripe = (
        select(delivery.c.subscriber, delivery.c.event_id)
        .join(outbox, outbox.c.event_id == delivery.c.event_id)
        .where(
            delivery.c.subscriber == subscriber,
            _IS_DUE,
            delivery.c.next_attempt_at <= now(),
            *((_IS_SUSPECT,) if deaths else ()),
            delivery.c.unfinished == deaths,
            outbox.c.type.in_(sorted(types)),
        )
        # By the index alone: a second key would sort all that became due at once, page by page.
        .order_by(delivery.c.next_attempt_at)
        .limit(limit)
        .with_for_update(of=delivery, skip_locked=True)
        # As a plain subquery PostgreSQL may run it more than once, and so take more than limit.
        .cte("ripe")
    )
    taken = await session.execute(
        update(delivery)
        .where(tuple_(delivery.c.subscriber, delivery.c.event_id).in_(select(ripe)))
        .values(
            attempts=delivery.c.attempts + 1,
            unfinished=delivery.c.unfinished + 1,
            next_attempt_at=later(lease_s),
            updated_at=now(),
        )
        .returning(delivery.c.event_id, delivery.c.attempts)
    )
    return await _opened(session, subscriber, {row.event_id: row.attempts for row in taken})


async def suspected(session: AsyncSession, subscriber: str) -> bool:
    """Tell whether a row whose attempt never came back is ripe; without taking it."""
    one = select(delivery.c.event_id).where(
        delivery.c.subscriber == subscriber,
        _IS_DUE,
        _IS_SUSPECT,
        ~_IS_WORN,
        delivery.c.next_attempt_at <= now(),
    )
    return (await session.execute(one.limit(1))).first() is not None


async def _opened(
    session: AsyncSession, subscriber: str, attempts: Mapping[UUID, int]
) -> list[Due]:
    """Return claimed rows with their events, in the order these were committed."""
    if not attempts:
        return []
    found = await _open.run(session, {"event_id": list(attempts)}, the_subscriber=subscriber)
    return [
        Due(event_id, attempts[event_id], envelope, reason) for event_id, envelope, reason in found
    ]


@prepared(event_id=Uuid())
def _open(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        select(
            outbox.c.event_id,
            func.coalesce(delivery.c.envelope, outbox.c.envelope),
            delivery.c.reason,
        )
        .join(delivery, delivery.c.event_id == outbox.c.event_id)
        .where(
            delivery.c.subscriber == _SUBSCRIBER, delivery.c.event_id.in_(select(given.c.event_id))
        )
        .order_by(outbox.c.position)
    )


async def lock(
    session: AsyncSession, subscriber: str, claimed: Mapping[UUID, int]
) -> dict[UUID, Reason]:
    """Lock the rows that are still as this claim left them, and return why each is there.

    A row that somebody claimed again, finished or discarded since is not among them.
    """
    found = await _lock.run(session, _columns(claimed), the_subscriber=subscriber)
    return {event_id: Reason(reason) for event_id, reason in found}


@prepared(event_id=Uuid(), attempts=Integer())
def _lock(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        select(delivery.c.event_id, delivery.c.reason)
        .where(delivery.c.subscriber == _SUBSCRIBER, _IS_DUE, *_as_claimed(given))
        .order_by(delivery.c.event_id)
        .with_for_update(of=delivery)
    )


async def finish(session: AsyncSession, subscriber: str, event_ids: Collection[UUID]) -> None:
    """Remove rows whose effects this transaction commits."""
    await _finish.run(session, {"event_id": sorted(event_ids)}, the_subscriber=subscriber)


@prepared(event_id=Uuid())
def _finish(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return delete(delivery).where(
        delivery.c.subscriber == _SUBSCRIBER, delivery.c.event_id.in_(select(given.c.event_id))
    )


async def hand_back(session: AsyncSession, subscriber: str, claimed: Mapping[UUID, int]) -> None:
    """Undo a claim whose rows could not be tried: it was no attempt, and they are ripe again.

    Rows that got their verdict meanwhile keep it.
    """
    await _hand_back.run(session, _columns(claimed), the_subscriber=subscriber)


@prepared(event_id=Uuid(), attempts=Integer())
def _hand_back(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        update(delivery)
        .where(
            delivery.c.subscriber == _SUBSCRIBER,
            _IS_DUE,
            _IS_SUSPECT,
            *_as_claimed(given),
        )
        .values(
            attempts=delivery.c.attempts - 1,
            unfinished=delivery.c.unfinished - 1,
            next_attempt_at=now(),
            updated_at=now(),
        )
    )


async def hopeless(
    session: AsyncSession, subscriber: str, types: Collection[str], limit: int
) -> list[Due]:
    """Return ripe rows that nobody will ever finish.

    Those whose attempts keep ending without a verdict; and those that nobody has taken for so
    long that no build seems to know their type, nor does this one, which handles types: their
    reason reads `parked` and that of the others `failed`, whatever made them due.
    """
    mine = (delivery.c.subscriber == subscriber) & _IS_DUE
    unknown = outbox.c.type.not_in(sorted(types))
    waiting = delivery.c.updated_at <= later(-PARKED_S)
    worn = (
        select(delivery.c.event_id)
        .where(mine, _IS_SUSPECT, _IS_WORN, delivery.c.next_attempt_at <= now())
        .order_by(delivery.c.next_attempt_at)
        .limit(limit)
    )
    # Only the first few, whatever their type: what can be run is run, so the others come to be
    # the first, and a backlog is not gone through for them page by page.
    overdue = (
        select(delivery.c.event_id)
        .where(mine, delivery.c.next_attempt_at <= later(-PARKED_S))
        .order_by(delivery.c.next_attempt_at)
        .limit(limit)
    )
    found = await session.execute(
        select(
            delivery.c.event_id,
            delivery.c.attempts,
            func.coalesce(delivery.c.envelope, outbox.c.envelope),
            case((unknown, Reason.PARKED.value), else_=Reason.FAILED.value),
        )
        .join(outbox, outbox.c.event_id == delivery.c.event_id)
        .where(
            # By the primary key; that they are due is said above.
            delivery.c.subscriber == subscriber,
            delivery.c.event_id.in_(
                union_all(*(select(each.subquery()) for each in (worn, overdue)))
            ),
            or_(_IS_WORN, unknown & waiting),
        )
        .limit(limit)
    )
    return [Due(*row) for row in found]


def _columns(claimed: Mapping[UUID, int]) -> dict[str, Sequence[object]]:
    ids = sorted(claimed)
    return {"event_id": ids, "attempts": [claimed[event_id] for event_id in ids]}


def _as_claimed(given: FromClause) -> list[ColumnElement[bool]]:
    row = tuple_(delivery.c.event_id, delivery.c.attempts)
    # Not a join: both databases may take it for few rows, and compare each with each.
    return [
        delivery.c.event_id.in_(select(given.c.event_id)),
        row.in_(select(given.c.event_id, given.c.attempts)),
    ]


async def expire(session: AsyncSession, subscriber: str) -> None:
    """End every claim of this subscriber's rows; the attempts they counted stay counted."""
    await session.execute(
        update(delivery)
        .where(
            delivery.c.subscriber == subscriber,
            _IS_DUE,
            _IS_SUSPECT,
        )
        .values(next_attempt_at=now())
    )
