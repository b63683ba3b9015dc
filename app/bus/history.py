"""Published events as a log that others read by place: nothing twice, and no gap unsaid.

Places are given under the relay's lock in the order of first publication, so whoever has read up to
one has read everything before it. Retention takes the oldest; the last place it took is kept.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import exists, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import BusError
from app.bus.sql import later
from app.bus.tables import log_head, outbox

# A page of a rare type may have to pass over this many events, and is then cut short.
_SCAN = 10_000
_LAST = 2**63 - 1

# A relay that published so recently is at work.
_AT_WORK_S = 10.0


class HistoryGoneError(BusError):
    """Retention has taken events that the reader has not seen."""


class NoSuchPlaceError(BusError):
    """The log has never been so long; the place is another database's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the log: envelopes as JSON, and the place up to which everything was looked at."""

    envelopes: list[str]
    position: int
    is_last: bool


async def read(
    session: AsyncSession, *, after: int | None, types: Collection[str] = (), limit: int
) -> Slice:
    """Return up to limit events past a place, those of types if any are given, in one statement.

    None begins with the oldest that retention has left whole. A slice may hold fewer, even none,
    and not be the last: go on from its position. Raises HistoryGoneError and NoSuchPlaceError.
    """
    start = select(log_head.c.pruned_position).scalar_subquery()
    begin = start if after is None else literal(after)
    # A place from a client can be so far out that the database could not add to it.
    end = start + _SCAN if after is None else literal(min(after + _SCAN, _LAST))
    wanted = (
        select(outbox.c.log_position, outbox.c.envelope)
        .where(outbox.c.log_position > begin, outbox.c.log_position <= end)
        .order_by(outbox.c.log_position)
        .limit(limit)
    )
    if types:
        wanted = wanted.where(outbox.c.type.in_(sorted(types)))
    page = wanted.subquery()
    found = (
        await session.execute(
            select(
                log_head.c.position.label("head"),
                log_head.c.pruned_position,
                page.c.log_position,
                page.c.envelope,
            )
            .select_from(log_head.outerjoin(page, true()))
            .order_by(page.c.log_position)
        )
    ).all()
    head, gone = int(found[0].head), int(found[0].pruned_position)
    if after is not None and after < gone:
        msg = f"Events up to place {gone} of the log are no longer kept."
        raise HistoryGoneError(msg)
    if after is not None and after > head:
        msg = f"The log ends at place {head}."
        raise NoSuchPlaceError(msg)
    rows = [row for row in found if row.log_position is not None]
    position = min((gone if after is None else after) + _SCAN, head)
    if len(rows) == limit:
        position = int(rows[-1].log_position)
    return Slice(
        envelopes=[row.envelope for row in rows], position=position, is_last=position == head
    )


async def falls_behind(session: AsyncSession, *, by_s: float) -> bool:
    """Tell whether the relay is at work and yet an event of that age is unpublished.

    While it publishes nothing at all, as when the stream engine is away, that is an outage and not
    overload: events wait, and there is nothing that fewer of them would help.
    """
    oldest = (
        select(outbox.c.created_at)
        .where(outbox.c.published_at.is_(None))
        .order_by(outbox.c.position)
        .limit(1)
        .scalar_subquery()
    )
    last = select(log_head.c.position).scalar_subquery()
    at_work = exists().where(
        outbox.c.log_position == last, outbox.c.published_at >= later(-_AT_WORK_S)
    )
    return bool(
        await session.scalar(select(func.coalesce(oldest <= later(-by_s), False) & at_work))
    )
