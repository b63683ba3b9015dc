"""Unregister: a subscriber that no build has any more is owed nothing from now on."""

import json
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import scripts, settled
from app.bus.action import Action, ActionKind, note
from app.bus.delivery import State
from app.bus.errors import BusError
from app.bus.event import new_id
from app.bus.pause import paused
from app.bus.replay import registered_types
from app.bus.sql import Transactions
from app.bus.stream import Stream
from app.bus.tables import delivery, failed_attempt, operator_action, settled as marks, subscription

ALIVE_S = 60.0
"""A consumer that asked for something within so many seconds counts as alive."""


class SubscriberAliveError(BusError):
    """A worker still reads for the subscriber, and would go on in vain."""


class DeadLettersLeftError(BusError):
    """The subscriber has dead letters that nobody dealt with."""


async def unregister(  # noqa: PLR0913 - which, by whom, at what price
    database: Transactions,
    stream: Stream,
    subscriber: str,
    *,
    who: str,
    discard: bool = False,
    alive_s: float = ALIVE_S,
) -> Action:
    """Remove a subscriber, so that neither streams nor history are kept for it any longer.

    One transaction takes its subscriptions, its delivery rows, which the action counts, and what is
    remembered of failed attempts. With discard its dead letters go too. The workers remove its
    groups. Its inbox rows stay as long as their events: should it come back, what it handled is
    handled still. A build that has it registers it again when a worker starts, as a new one.

    Raises NoSubscriberError, SubscriberAliveError, DeadLettersLeftError, and
    StreamUnavailableError, because then nobody can tell whether it is alive: nothing was changed.
    """
    async with database.read() as session:
        types = await registered_types(session, subscriber)
    await _refuse_alive(stream, subscriber, _contexts(types), alive_s)
    async with database.write() as session:
        await settled.hold(session)
        types = await registered_types(session, subscriber, lock=True)
        await _refuse_paused(session, subscriber)
        rows = await _count_rows(session, subscriber)
        if rows[State.DEAD] and not discard:
            msg = (
                f"{subscriber} has {rows[State.DEAD]} dead letters: deal with them first, or have "
                "them discarded with it."
            )
            raise DeadLettersLeftError(msg)
        for table in (subscription, marks, delivery, failed_attempt):
            await session.execute(delete(table).where(table.c.subscriber == subscriber))
        return await note(
            session,
            ActionKind.UNREGISTER,
            id_=new_id(),
            who=who,
            subscriber=subscriber,
            detail={"types": types, **rows},
            total=sum(rows.values()),
        )


async def _refuse_paused(session: AsyncSession, subscriber: str) -> None:
    """Refuse one that is paused: its workers do not read, so nobody knows whether they are gone."""
    if subscriber in await paused(session):
        msg = f"{subscriber} is paused: resume it, and stop the workers that run it."
        raise SubscriberAliveError(msg)


async def _refuse_alive(
    stream: Stream, subscriber: str, contexts: set[str], alive_s: float
) -> None:
    for context in sorted(contexts):
        quiet_s = await scripts.quiet_s(stream, context, subscriber)
        if quiet_s is not None and quiet_s < alive_s:
            msg = (
                f"A worker read for {subscriber} {quiet_s:.0f} s ago: stop it, and try again "
                f"{alive_s - quiet_s:.0f} s later."
            )
            raise SubscriberAliveError(msg)


async def _count_rows(session: AsyncSession, subscriber: str) -> dict[str, int]:
    """Return how many delivery rows there are in each state."""
    query = (
        select(delivery.c.state, func.count().label("number"))
        .where(delivery.c.subscriber == subscriber)
        .group_by(delivery.c.state)
    )
    found = {row.state: row.number for row in await session.execute(query)}
    return {state.value: found.get(state, 0) for state in State}


async def former_groups(session: AsyncSession) -> set[tuple[str, str]]:
    """Return (context, subscriber) of what was unregistered and is not registered again."""
    left: set[tuple[str, str]] = set()
    for name, detail in await session.execute(_unregistered(operator_action.c.detail)):
        left |= {(context, name) for context in _contexts(json.loads(detail)["types"])}
    registry = await settled.registry(session)
    return left - {(context, name) for name, reads in registry.items() for context in reads}


def former_names() -> Select[Any]:
    """Select the names of subscribers that were ever unregistered."""
    return _unregistered()


def _unregistered(*more: Any) -> Select[Any]:  # noqa: ANN401 - SQLAlchemy's columns
    return select(operator_action.c.subscriber, *more).where(
        operator_action.c.action == ActionKind.UNREGISTER
    )


def _contexts(types: list[str]) -> set[str]:
    return {type_.partition(".")[0] for type_ in types}
