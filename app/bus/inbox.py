"""The inbox: one row per event and subscriber says that its effects are committed."""

from collections.abc import Collection, Iterable
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Executable, FromClause, Uuid, bindparam, delete, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox as outbox_rows, settled
from app.bus.delivery import is_held_back
from app.bus.prepared import few, prepared
from app.bus.replay import fill_new
from app.bus.sql import code, rows, upsert
from app.bus.subscriber import Subscriber
from app.bus.tables import inbox, outbox, subscription

_SUBSCRIBER = bindparam("the_subscriber", type_=code(80))


def _sorted(event_ids: Iterable[UUID]) -> list[UUID]:
    """Sort as ids themselves do, but in a tenth of the time."""
    return sorted(event_ids, key=attrgetter("int"))


async def claim(session: AsyncSession, subscriber: str, event_ids: Collection[UUID]) -> set[UUID]:
    """Insert the inbox rows of these events and return the ids that were new.

    Only events in our outbox that this subscriber is owed get a row: a copy that was handled
    before, an event older than the subscription, one that has a delivery row, and an entry our
    database never wrote all return nothing and must not run. Rows go in sorted, so two workers
    with overlapping batches wait for one another instead of deadlocking; a twin's uncommitted row
    makes this one wait.
    """
    ids = {"event_id": _sorted(event_ids)}
    count = len(event_ids)
    return set(await _claim.column(session, ids, the_subscriber=subscriber, the_count=count))


@prepared(event_id=Uuid())
def _claim(session: AsyncSession, given: FromClause) -> Executable:
    asked = few(session, given)
    owed = (
        select(_SUBSCRIBER, outbox.c.event_id)
        .join(asked, outbox.c.event_id == asked.c.event_id)
        .join(subscription, subscription.c.event_type == outbox.c.type)
        .where(
            subscription.c.subscriber == _SUBSCRIBER,
            or_(
                # Read between the relay's XADD and its mark: the place it will get is a new one.
                outbox.c.log_position.is_(None),
                outbox.c.log_position > subscription.c.since_log_position,
            ),
            ~is_held_back(outbox.c.event_id),
        )
        .order_by(outbox.c.event_id)
    )
    return (
        upsert(session, inbox)
        .from_select(["subscriber", "event_id"], owed)
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    )


async def unwritten(
    session: AsyncSession, subscriber: str, event_ids: Collection[UUID]
) -> set[UUID]:
    """Return which of these events this database never wrote.

    Their entries come from a database of a later day, of which this one is the restored backup,
    or from a stranger. What was pruned keeps its inbox row for longer than the stream its entry.
    """
    given = rows(session, event_id=(Uuid(), sorted(event_ids)))
    known = union_all(
        select(outbox.c.event_id).where(outbox.c.event_id.in_(select(given.c.event_id))),
        select(inbox.c.event_id).where(
            inbox.c.subscriber == subscriber, inbox.c.event_id.in_(select(given.c.event_id))
        ),
    )
    return set(event_ids) - set(await session.scalars(known))


async def take(session: AsyncSession, subscriber: str, event_ids: Collection[UUID]) -> set[UUID]:
    """Insert the inbox rows of events that are due anyway, and return the ids that were new."""
    ids = {"event_id": _sorted(event_ids)}
    return set(await _take.column(session, ids, the_subscriber=subscriber))


@prepared(event_id=Uuid())
def _take(session: AsyncSession, given: FromClause) -> Executable:
    return (
        upsert(session, inbox)
        .from_select(
            ["subscriber", "event_id"],
            select(_SUBSCRIBER, given.c.event_id)
            .where(given.c.event_id.is_not(None))  # without a WHERE, SQLite takes ON for a join's
            .order_by(given.c.event_id),
        )
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    )


async def release(session: AsyncSession, subscriber: str, event_ids: Iterable[UUID]) -> None:
    """Take back the rows of events that failed, in the transaction that claimed them."""
    await _release.run(session, {"event_id": _sorted(event_ids)}, the_subscriber=subscriber)


@prepared(event_id=Uuid())
def _release(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return delete(inbox).where(
        inbox.c.subscriber == _SUBSCRIBER, inbox.c.event_id.in_(select(given.c.event_id))
    )


async def subscribe(session: AsyncSession, subscribers: Iterable[Subscriber]) -> None:
    """Keep the registry of who is owed what.

    A type that is new to a subscriber counts from now, or from the beginning for one that starts
    with "fill": then what was published before becomes due here, in the caller's transaction.
    Types no longer handled stay: an older or newer build may still run beside this one. Where
    nothing is new, nobody is waited for.
    """
    known = {tuple(row) for row in await session.execute(select(*_REGISTERED))}
    newcomers = [
        subscriber
        for subscriber in subscribers
        if not known.issuperset((subscriber.name, type_) for type_ in subscriber.handlers)
    ]
    if not newcomers:
        return
    await settled.hold(session)
    head = await outbox_rows.head(session)
    for subscriber in newcomers:
        since = 0 if subscriber.start == "fill" else head
        wanted = [
            {"subscriber": subscriber.name, "event_type": type_, "since_log_position": since}
            for type_ in sorted(subscriber.handlers)
        ]
        insert = upsert(session, subscription).on_conflict_do_nothing()
        new = await session.scalars(insert.returning(subscription.c.event_type), wanted)
        if subscriber.start == "fill":
            await fill_new(session, subscriber.name, new.all(), head)


_REGISTERED = (subscription.c.subscriber, subscription.c.event_type)


async def subscribed_types(session: AsyncSession, subscriber: str) -> set[str]:
    """Return the types any build of this subscriber has registered."""
    found = await session.scalars(
        select(subscription.c.event_type).where(subscription.c.subscriber == subscriber)
    )
    return set(found)
