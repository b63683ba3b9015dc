"""Where each subscriber stands by the database: what is due, what is dead, how long it takes."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.delivery import State
from app.bus.reading import COUNTED, capped
from app.bus.sql import code, later
from app.bus.tables import delivery, inbox, outbox, settled, subscription

# Critical times are told of what was handled so many seconds ago or less, of so many places.
_RECENT_S = 300.0
_RECENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the database says of one subscriber.

    due and dead are counted up to COUNTED + 1. types are those that any build has registered.
    critical_time_s is the mean from commit to handling over recent events, None without any.
    """

    types: list[str]
    due: int
    dead: int
    critical_time_s: float | None = None

    @property
    def due_capped(self) -> bool:
        """Whether more is due than was counted."""
        return self.due > COUNTED

    @property
    def dead_capped(self) -> bool:
        """Whether more is dead than was counted."""
        return self.dead > COUNTED


async def standings(session: AsyncSession) -> dict[str, Standing]:
    """Return where every registered subscriber stands, in four statements over few rows."""
    types: dict[str, list[str]] = defaultdict(list)
    for subscriber, event_type in await session.execute(_TYPES):
        types[subscriber].append(event_type)
    marks = {row.subscriber: row.mark for row in await session.execute(_MARKS)}
    counts = await _counts(session, list(types))
    times = await _critical_times(session, marks)
    return {
        name: Standing(
            types=known,
            due=counts[name, State.DUE],
            dead=counts[name, State.DEAD],
            critical_time_s=times.get(name),
        )
        for name, known in types.items()
    }


async def behind(session: AsyncSession, subscribers: Collection[str]) -> dict[str, int]:
    """Return how many published events each subscriber is owed and has not settled.

    By our own positions, for where the engine cannot tell: from the mark on, up to which all is
    settled, over COUNTED places of the log at most.
    """
    if not subscribers:
        return {}
    marks = {row.subscriber: row.mark for row in await session.execute(_MARKS)}
    names = sorted(subscribers)
    counts = select(*(_behind(name, marks.get(name, 0)).scalar_subquery() for name in names))
    return dict(zip(names, (await session.execute(counts)).one(), strict=True))


def _behind(subscriber: str, mark: int) -> Select[Any]:
    settled_by = (
        select(literal(1)).where(
            rows.c.subscriber == subscriber, rows.c.event_id == outbox.c.event_id
        )
        for rows in (inbox, delivery)
    )
    return (
        select(func.count())
        .select_from(outbox.join(subscription, subscription.c.event_type == outbox.c.type))
        .where(
            subscription.c.subscriber == subscriber,
            outbox.c.log_position > subscription.c.since_log_position,
            outbox.c.log_position > mark,
            outbox.c.log_position <= mark + COUNTED,
            *(~each.exists() for each in settled_by),
        )
    )


_TYPES = select(subscription.c.subscriber, subscription.c.event_type).order_by(
    subscription.c.subscriber, subscription.c.event_type
)
_MARKS = select(settled.c.subscriber, settled.c.log_position.label("mark"))


async def _counts(
    session: AsyncSession, subscribers: Sequence[str]
) -> dict[tuple[str, State], int]:
    """Return how many delivery rows each subscriber has in the states that wait for somebody.

    In the order of the index over states, or PostgreSQL would go through all rows for a share of
    them that it thinks large.
    """
    wanted = [(name, state) for name in subscribers for state in (State.DUE, State.DEAD)]
    if not wanted:
        return {}
    rows = (
        select(delivery.c.updated_at)
        .where(delivery.c.state == state, delivery.c.subscriber == name)
        .order_by(delivery.c.updated_at)
        for name, state in wanted
    )
    counted = select(*(capped(each).scalar_subquery() for each in rows))
    return dict(zip(wanted, (await session.execute(counted)).one(), strict=True))


async def _critical_times(session: AsyncSession, marks: Mapping[str, int]) -> dict[str, float]:
    """Return the mean critical time of each subscriber's last settled places.

    Up to its mark all is settled, so that one which lags is told by what it does handle.
    """
    if not marks:
        return {}
    parts = (_handled_before(name, mark) for name, mark in sorted(marks.items()))
    found = union_all(*parts).subquery()
    times: dict[str, list[float]] = defaultdict(list)
    for subscriber, recorded_at, handled_at in await session.execute(
        select(found).where(found.c.handled_at > later(-_RECENT_S))
    ):
        times[subscriber].append(max(0.0, (handled_at - recorded_at).total_seconds()))
    return {subscriber: round(mean(each), 6) for subscriber, each in times.items()}


def _handled_before(subscriber: str, mark: int) -> Select[Any]:
    """Select when the last events up to a mark were recorded, and handled if they were."""
    # Once per event, by the key. A join goes through every row of the subscriber on SQLite.
    handled_at = select(inbox.c.handled_at).where(
        inbox.c.subscriber == subscriber, inbox.c.event_id == outbox.c.event_id
    )
    return select(
        literal(subscriber, code(80)).label("subscriber"),
        outbox.c.created_at,
        handled_at.scalar_subquery().label("handled_at"),
    ).where(outbox.c.log_position > mark - _RECENT, outbox.c.log_position <= mark)
