"""How far an event has come, for use cases that must wait until everybody has heard of it."""

from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import later
from app.bus.tables import delivery, inbox, log_head, outbox, settled, subscription


def handled(event_id: ColumnElement[UUID | None], *, ago_s: float) -> ColumnElement[bool]:
    """Return the condition that every subscriber owed an event handled it, so many seconds ago.

    By the database's clock, or longer ago. It does not hold for an event that nobody is owed, that
    is a dead letter of somebody, or that retention has taken.
    """
    owed = (
        select(subscription.c.subscriber)
        .where(
            subscription.c.event_type == outbox.c.type,
            subscription.c.since_log_position < outbox.c.log_position,
        )
        .correlate(outbox)
    )
    has_handled = (
        exists()
        .where(
            inbox.c.subscriber == subscription.c.subscriber,
            inbox.c.event_id == outbox.c.event_id,
            inbox.c.handled_at <= later(-ago_s),
        )
        .correlate(outbox, subscription)
    )
    return exists().where(
        outbox.c.event_id == event_id, owed.exists(), ~owed.where(~has_handled).exists()
    )


def is_due(subject: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that somebody is still to be given an event about this subject again."""
    return subject.in_(
        select(outbox.c.subject)
        .join(delivery, delivery.c.event_id == outbox.c.event_id)
        # Word for word the index's condition: with a parameter the index would not be used.
        .where(text("delivery.state = 'due'"))
    )


async def behind(session: AsyncSession, *, by_s: float) -> bool:
    """Tell whether an event of that age is on its way to the stream, or on it to anybody owed it.

    Deliveries that the database owes, such as those that failed and are tried again, do not count.
    """
    is_old = outbox.c.created_at <= later(-by_s)
    unpublished = exists().where(outbox.c.published_at.is_(None), is_old)
    # Below every subscriber's mark all is settled: so only the end of the log is looked at.
    settled_to = (
        select(func.min(func.coalesce(settled.c.log_position, subscription.c.since_log_position)))
        .select_from(subscription)
        .outerjoin(settled, settled.c.subscriber == subscription.c.subscriber)
    )
    unhandled = exists(
        select(outbox.c.event_id)
        .join(subscription, subscription.c.event_type == outbox.c.type)
        .where(
            outbox.c.log_position > settled_to.scalar_subquery(),
            outbox.c.log_position <= select(log_head.c.position).scalar_subquery(),
            outbox.c.log_position > subscription.c.since_log_position,
            is_old,
            *(
                ~exists().where(
                    table.c.subscriber == subscription.c.subscriber,
                    table.c.event_id == outbox.c.event_id,
                )
                for table in (inbox, delivery)
            ),
        )
    )
    return bool(await session.scalar(select(or_(unpublished, unhandled))))
