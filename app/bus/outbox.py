"""The outbox: events wait in the database until the relay has put them on the stream."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, String, Uuid, func, insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import NotAWriteError, NoTransactionError
from app.bus.event import Envelope, Event
from app.bus.sql import now, rows
from app.bus.tables import log_head, outbox

PUBLISHED = "orderly_published"
READ_ONLY = "orderly_read_only"

# One relay at a time per database; the number only has to differ from other advisory locks.
_RELAY_LOCK = 0x0EDE_0001


@dataclass(frozen=True, slots=True)
class Unpublished:
    """An outbox row on its way to the stream."""

    event_id: UUID
    context: str
    envelope: str


async def publish(session: AsyncSession, *events: Event) -> None:
    """Record events in the caller's transaction; the relay sends them after its commit.

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
        return
    await session.flush()
    envelopes = [Envelope.seal(event) for event in events]
    await session.execute(
        insert(outbox),
        [
            {
                "event_id": envelope.id,
                "type": envelope.type,
                "context": event.context,
                "subject": envelope.subject,
                "correlation_id": envelope.correlationid,
                "envelope": envelope.to_json(),
            }
            for event, envelope in zip(events, envelopes, strict=True)
        ],
    )
    session.info[PUBLISHED] = True


async def hold_relay_lock(session: AsyncSession) -> bool:
    """Take the right to publish until this transaction ends; False when another relay has it.

    SQLite has one process and one relay, so there the answer is always True.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_RELAY_LOCK))))


async def unpublished(
    session: AsyncSession, limit: int, paused: Collection[str] = ()
) -> list[Unpublished]:
    """Return the oldest unpublished rows by position, but those of paused contexts.

    Never a cursor over positions: a lower one can commit after a higher one, and a cursor would
    step over it for ever. The rows of paused contexts are not gone through, however many wait.
    """
    columns = (outbox.c.event_id, outbox.c.context, outbox.c.envelope, outbox.c.position)
    unsent = select(*columns).where(outbox.c.published_at.is_(None))
    oldest = unsent.order_by(outbox.c.position).limit(limit)
    if not paused:
        return [Unpublished(*row[:3]) for row in await session.execute(oldest)]
    contexts = [each for each in await _waiting_contexts(session) if each not in paused]
    if not contexts:
        return []
    pages = (select(oldest.where(outbox.c.context == each).subquery()) for each in contexts)
    page = await session.execute(union_all(*pages).order_by("position").limit(limit))
    return [Unpublished(*row[:3]) for row in page]


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
    last = await session.scalar(
        update(log_head)
        .values(position=log_head.c.position + len(page))
        .returning(log_head.c.position)
    )
    first = int(last or 0) - len(page) + 1
    sent = rows(
        session,
        event_id=(Uuid(), [row.event_id for row in page]),
        stream_id=(String(40), stream_ids),
        log_position=(BigInteger(), range(first, first + len(page))),
    )
    await session.execute(
        update(outbox)
        .where(outbox.c.event_id == sent.c.event_id)
        .values(published_at=now(), stream_id=sent.c.stream_id, log_position=sent.c.log_position)
    )


async def head(session: AsyncSession) -> int:
    """Return the last place in the log, 0 when nothing was ever published."""
    return int(await session.scalar(select(log_head.c.position)) or 0)


async def database_id(session: AsyncSession) -> str:
    """Return what tells this database from every other one."""
    return str(await session.scalar(select(log_head.c.database_id)))
