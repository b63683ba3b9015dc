"""The outbox: events wait in the database until the relay has put them on the stream."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Executable,
    FromClause,
    String,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import NotAWriteError, NoTransactionError
from app.bus.event import Event, seal
from app.bus.prepared import Fixed, Rows, Write, prepared, write
from app.bus.sql import now
from app.bus.tables import log_head, outbox

PUBLISHED = "orderly_published"
READ_ONLY = "orderly_read_only"
OVERHEARD = "orderly_overheard"
"""Names a list in a session's info that gets the text of every envelope it publishes."""

# One relay at a time per database; the number only has to differ from other advisory locks.
_RELAY_LOCK = 0x0EDE_0001


class Unpublished(NamedTuple):
    """An outbox row on its way to the stream."""

    position: int
    context: str
    envelope: str


async def publish(session: AsyncSession, *events: Event, beside: Sequence[Write] = ()) -> Rows:
    """Record events in the caller's transaction; the relay sends them after its commit.

    What the caller writes beside them goes to the database in the same trip; the rows of the first
    of these are returned, if it has any.

    Nothing leaves the process here, and if the caller rolls back the events never existed. The
    session is flushed first, so that the aggregate's row is locked before its event gets a
    position: events of one aggregate then carry growing positions in commit order. Raises
    NoTransactionError outside a transaction and NotAWriteError in a read session. Never commits.
    """
    if session.info.get(READ_ONLY):
        msg = "publish() needs a session that writes, and this one only reads"
        raise NotAWriteError(msg)
    if not session.in_transaction():
        msg = "publish() needs an open transaction: use `async with database.write() as session`"
        raise NoTransactionError(msg)
    if not events:
        return await write(session, *beside)
    await session.flush()
    sealed = [seal(event) for event in events]
    columns: dict[str, Sequence[object]] = {
        "event_id": [event.id for event in events],
        "type": [event.type for event in events],
        "context": [event.context for event in events],
        "subject": [event.subject for event in events],
        "correlation_id": [each.correlation_id for each in sealed],
        "envelope": [each.text for each in sealed],
    }
    found = await write(session, *beside, _insert.on(session, columns))
    session.info[PUBLISHED] = True
    if OVERHEARD in session.info:
        session.info[OVERHEARD] += columns["envelope"]
    return found


# Positions follow the order of the rows given.
@prepared(
    alike=["type", "context"],
    event_id=Uuid(),
    type=String(),
    context=String(),
    subject=String(),
    correlation_id=String(),
    envelope=Text(),
)
def _insert(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(outbox).from_select(given.c.keys(), select(given))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An unpublished event as an operator looks at it; its age is by the database's clock."""

    position: int
    event_id: UUID
    type: str
    context: str
    subject: str
    correlation_id: str
    recorded_at: datetime
    age_s: float


async def page_of_unpublished(session: AsyncSession, *, after: int, limit: int) -> list[Waiting]:
    """Return up to limit unpublished events past a position, the oldest first.

    For people: unlike the relay's, a page of theirs may step over one that commits late.
    """
    found = await session.execute(
        select(outbox, now().label("asked_at"))
        .where(outbox.c.published_at.is_(None), literal(after) < outbox.c.position)
        .order_by(outbox.c.position)
        .limit(limit)
    )
    return [
        Waiting(
            position=row.position,
            event_id=row.event_id,
            type=row.type,
            context=row.context,
            subject=row.subject,
            correlation_id=row.correlation_id,
            recorded_at=row.created_at,
            age_s=max(0.0, (row.asked_at - row.created_at).total_seconds()),
        )
        for row in found
    ]


HOLDS_RELAY_LOCK = (
    f"SELECT set_config('orderly.relays', pg_try_advisory_xact_lock({_RELAY_LOCK})::text, true)"
)
"""Takes the right to publish until the transaction ends, where another relay has it not.

To be said along with BEGIN, and so that what is read afterwards is read under the lock: a page of
one that looked before it had it may be another's, and marked by now.
"""


async def relayed(
    session: AsyncSession, limit: int, paused: Collection[str] = ()
) -> list[Unpublished] | None:
    """Return what `unpublished` does, None when another relay has the right to publish.

    The transaction is PostgreSQL's and began with HOLDS_RELAY_LOCK.
    """
    if paused:
        [[holds]] = await _HOLDS.run(session)
        return await unpublished(session, limit, paused) if holds else None
    page = await _OLDEST_IF_HELD.run(session, most=limit)
    if not page[0][0]:
        return None
    return [Unpublished(*row) for _, *row in page if row[0] is not None]


async def unpublished(
    session: AsyncSession, limit: int, paused: Collection[str] = ()
) -> list[Unpublished]:
    """Return the oldest unpublished rows by position, but those of paused contexts.

    Never a cursor over positions: a lower one can commit after a higher one, and a cursor would
    step over it for ever. The rows of paused contexts are not gone through, however many wait.
    """
    if not paused:
        return [Unpublished(*row) for row in await _OLDEST_OF_ALL.run(session, most=limit)]
    contexts = [each for each in await _waiting_contexts(session) if each not in paused]
    if not contexts:
        return []
    pages = (select(_OLDEST.where(outbox.c.context == each).subquery()) for each in contexts)
    merged = union_all(*pages).order_by("position").limit(bindparam("most"))
    page = await session.execute(merged, {"most": limit})
    return [Unpublished(*row) for row in page.all()]


_OLDEST = (
    select(outbox.c.position, outbox.c.context, outbox.c.envelope)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.position)
    .limit(bindparam("most"))
)
_OLDEST_OF_ALL = Fixed(_OLDEST)

_held = select((func.current_setting("orderly.relays", true()) == "true").label("holds"))
_HOLDS = Fixed(_held)
_lock, _oldest = _held.subquery(), _OLDEST.lateral()
_OLDEST_IF_HELD = Fixed(
    select(_lock.c.holds, *_oldest.c)
    .select_from(_lock.outerjoin(_oldest, _lock.c.holds))
    .order_by(_oldest.c.position)
)


async def _waiting_contexts(session: AsyncSession) -> list[str]:
    """Return the contexts with unpublished rows: one step through the index for each."""
    unsent = select(outbox.c.context).where(outbox.c.published_at.is_(None))
    first = unsent.order_by(outbox.c.context).limit(1)
    found: list[str] = []
    while each := await session.scalar(first.where(outbox.c.context > (found or [""])[-1])):
        found.append(each)
    return found


async def mark_published(
    session: AsyncSession, page: Sequence[Unpublished], stream_ids: Sequence[str]
) -> None:
    """Mark a page as published, and give each event its place in the log.

    Under the relay lock places follow the order of first publication without a gap, which makes
    `log_position` the one safe cursor over history.
    """
    columns: dict[str, Sequence[object]] = {
        "position": [row.position for row in page],
        "stream_id": stream_ids,
        "place": range(1, len(page) + 1),
    }
    await write(session, _mark.on(session, columns), Write(_MOVE_HEAD, {"by": len(page)}))


_MOVE_HEAD = Fixed(update(log_head).values(position=log_head.c.position + bindparam("by")))


@prepared(position=BigInteger(), stream_id=String(40), place=BigInteger())
def _mark(session: AsyncSession, sent: FromClause) -> Executable:
    del session
    head = select(log_head.c.position).scalar_subquery()
    return (
        update(outbox)
        .where(outbox.c.position == sent.c.position)
        .values(published_at=now(), stream_id=sent.c.stream_id, log_position=head + sent.c.place)
    )


async def head(session: AsyncSession) -> int:
    """Return the last place in the log, 0 when nothing was ever published."""
    return int(await session.scalar(select(log_head.c.position)) or 0)


async def database_id(session: AsyncSession) -> str:
    """Return what tells this database from every other one."""
    return str(await session.scalar(select(log_head.c.database_id)))
