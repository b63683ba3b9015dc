"""How far each subscriber's deliveries are settled: what lies below need not be looked at again.

The mark is a place in the log. Every delivery owed at or below it has an inbox row or a delivery
row; both stay until retention takes the event itself, so the mark only ever grows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    String,
    Table,
    Uuid,
    bindparam,
    except_,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox as outbox_rows
from app.bus.delivery import Reason, State
from app.bus.sql import code, dialect_of, later, rows, upsert
from app.bus.tables import delivery, inbox, outbox, settled, subscription

# One reconciler at a time per database; the number only has to differ from other advisory locks.
_LOCK = 0x0EDE_0003


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An owed delivery with neither inbox nor delivery row; ripe when it is old enough to ask."""

    event_id: UUID
    context: str
    stream_id: str
    log_position: int
    ripe: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the log up to a place, and what of it is unsettled, in order."""

    after: int
    to: int
    is_last: bool
    unsettled: list[Unsettled]


async def hold(session: AsyncSession) -> None:
    """Wait until no reconciler is at work, and keep it so until this transaction ends.

    For who makes a subscriber owed more: a mark set meanwhile would already be past it. SQLite
    writers take turns anyway.
    """
    if dialect_of(session).name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def try_hold(session: AsyncSession) -> bool:
    """Take the right to reconcile until this transaction ends; False when another has it."""
    if dialect_of(session).name != "postgresql":
        return True
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))


async def registry(session: AsyncSession) -> dict[str, set[str]]:
    """Return the contexts whose streams each registered subscriber reads."""
    contexts: dict[str, set[str]] = {}
    found = await session.execute(select(subscription.c.subscriber, subscription.c.event_type))
    for subscriber, event_type in found:
        contexts.setdefault(subscriber, set()).add(event_type.partition(".")[0])
    return contexts


async def mark(session: AsyncSession, subscriber: str) -> int:
    """Return the subscriber's mark: at first, where its oldest subscription begins."""
    known = await session.scalar(
        select(settled.c.log_position).where(settled.c.subscriber == subscriber)
    )
    if known is None:
        begins = func.min(subscription.c.since_log_position)
        known = await session.scalar(select(begins).where(subscription.c.subscriber == subscriber))
    return int(known or 0)


async def window(
    session: AsyncSession, subscriber: str, *, after: int, size: int, ripe_s: float
) -> Window:
    """Look at the next places of the log, so many, for deliveries that are not settled.

    ripe_s is how many seconds ago, by the database's clock, an event must have been published.
    """
    head = await outbox_rows.head(session)  # asked first: everything up to it is visible below
    page = (await session.execute(_PAGE, {"after": after, "size": size})).one()
    is_last = page.number < size
    to = head if is_last else int(page.to)
    if to <= after:
        return Window(after, after, is_last=True, unsettled=[])
    given = {"the_subscriber": subscriber, "after": after, "to": to, "most": 4 * page.number}
    doubtful = await session.scalars(_DOUBTFUL, {**given, "first": page.first, "last": page.last})
    unsettled = await _unsettled(session, subscriber, doubtful.all(), ripe_s)
    return Window(after, to, is_last, unsettled)


_places = (
    select(outbox.c.log_position, outbox.c.event_id)
    .where(outbox.c.log_position > bindparam("after"))
    .order_by(outbox.c.log_position)
    .limit(bindparam("size"))
    .cte("places")
)
_ids = select(_places.c.event_id).limit(1)
_PAGE = select(
    func.count().label("number"),
    func.max(_places.c.log_position).label("to"),
    _ids.order_by(_places.c.event_id).scalar_subquery().label("first"),
    _ids.order_by(_places.c.event_id.desc()).scalar_subquery().label("last"),
).select_from(_places)

# Ids grow with time, so those of a stretch of the log lie close together in the inbox too, and are
# read in one go instead of searched for one by one. Where one that lay long before it was published
# makes that too many, what is left out is in doubt only. A join would be as short, and a thousand
# times as long when PostgreSQL has not yet looked at what came last, and takes it for one row.
_DOUBTFUL = except_(
    select(outbox.c.event_id)
    .join(subscription, subscription.c.event_type == outbox.c.type)
    .where(
        subscription.c.subscriber == bindparam("the_subscriber"),
        outbox.c.log_position > subscription.c.since_log_position,
        outbox.c.log_position > bindparam("after"),
        outbox.c.log_position <= bindparam("to"),
    ),
    select(
        select(inbox.c.event_id)
        .where(
            inbox.c.subscriber == bindparam("the_subscriber"),
            inbox.c.event_id >= bindparam("first", type_=Uuid()),
            inbox.c.event_id <= bindparam("last", type_=Uuid()),
        )
        .order_by(inbox.c.event_id)
        .limit(bindparam("most"))
        .subquery()
    ),
)


async def _unsettled(
    session: AsyncSession, subscriber: str, doubtful: Sequence[UUID], ripe_s: float
) -> list[Unsettled]:
    """Return which of these events have neither an inbox nor a delivery row, in order."""
    if not doubtful:
        return []
    given = rows(session, event_id=(Uuid(), doubtful))
    found = await session.execute(
        select(
            outbox.c.event_id,
            outbox.c.context,
            outbox.c.stream_id,
            outbox.c.log_position,
            (outbox.c.published_at <= later(-ripe_s)).cast(Boolean()),
        )
        .join(given, given.c.event_id == outbox.c.event_id)
        .where(~_has_row(inbox, subscriber), ~_has_row(delivery, subscriber))
        .order_by(outbox.c.log_position)
    )
    return [Unsettled(*row) for row in found]


def _has_row(table: Table, subscriber: str) -> ColumnElement[bool]:
    """Return the condition that this table has a row for the outbox row at hand."""
    return exists().where(table.c.subscriber == subscriber, table.c.event_id == outbox.c.event_id)


async def make_due(session: AsyncSession, subscriber: str, lost: Collection[UUID]) -> set[UUID]:
    """Make lost deliveries due, unless they were settled since, and return which now are.

    They have been due since they were published: so the oldest run first, and the loop that runs
    them finds each page by the index.
    """
    given = rows(session, event_id=(Uuid(), sorted(lost)))
    made = await session.scalars(
        upsert(session, delivery)
        .from_select(
            [
                *("subscriber", "state", "reason", "attempts", "unfinished"),
                *("event_id", "next_attempt_at"),
            ],
            select(
                literal(subscriber, code(80)),
                literal(State.DUE, String()),
                literal(Reason.LOST, String()),
                literal(0, Integer()),
                literal(0, Integer()),
                outbox.c.event_id,
                outbox.c.published_at,
            )
            .join(given, given.c.event_id == outbox.c.event_id)
            .where(~_has_row(inbox, subscriber), ~_has_row(delivery, subscriber)),
        )
        .on_conflict_do_nothing()
        .returning(delivery.c.event_id)
    )
    return set(made)


async def advance(session: AsyncSession, subscriber: str, seen: Window, due: set[UUID]) -> None:
    """Move the mark through a window that begins at it, to just before what is still unsettled."""
    left = (one.log_position - 1 for one in seen.unsettled if one.event_id not in due)
    to = min(left, default=seen.to)
    known = await mark(session, subscriber)
    if not seen.after <= known < to:
        return
    insert = upsert(session, settled).values(subscriber=subscriber, log_position=to)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=["subscriber"], set_={"log_position": insert.excluded.log_position}
        )
    )
