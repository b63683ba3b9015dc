"""Redrive: run again what was given up, one at once or many by the loops; and discard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, null, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import settled
from app.bus.action import Action, ActionKind, note
from app.bus.dead_letters import (
    Filter,
    Letter,
    NoDeliveryError,
    NotGivenUpError,
    given_up,
    letter,
)
from app.bus.delivery import Reason, State
from app.bus.due import DueDeliveries
from app.bus.errors import BusError
from app.bus.event import Envelope, Event, new_id
from app.bus.handling import Handling
from app.bus.lease import Due
from app.bus.mend import differences, mend
from app.bus.sql import Transactions, later, now
from app.bus.subscriber import Handler, Subscriber
from app.bus.tables import delivery
from app.bus.timeouts import Timeouts

_TIMEOUTS = Timeouts()


class NotHandledHereError(BusError):
    """This process has no handler for the event, so it can neither check nor run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What happened to a delivery that was run again.

    outcome is `handled`, or else the state of its row: `due` when it is tried again at
    next_attempt_at, `dead` or `discarded`. `ran` is false when this process has no handler for
    it: then it is due for one that has.
    """

    action: Action
    ran: bool
    outcome: str
    attempts: int = 0
    next_attempt_at: datetime | None = None
    error_type: str | None = None
    error: str | None = None


async def redrive(  # noqa: PLR0913 - which delivery, run by whom, for whom, with what
    database: Transactions,
    subscribers: Iterable[Subscriber],
    subscriber: str,
    event_id: UUID,
    *,
    who: str,
    data: Mapping[str, Any] | None = None,
    timeouts: Timeouts = _TIMEOUTS,
) -> Redriven:
    """Run a dead or discarded delivery now, in this process, and say what happened.

    With data the event is mended first. The claim is committed before the run, as the loops do
    it: a process that dies in between leaves a due row. Raises NoDeliveryError, NotGivenUpError,
    NotHandledHereError (data cannot be checked here), UnfitDataError: nothing was changed then.
    """
    known = {one.name: one for one in subscribers}.get(subscriber)
    action_id = new_id()
    async with database.write() as session:
        if (await letter(session, subscriber, event_id)).state is State.DISCARDED:
            await settled.hold(session)
        found = await given_up(session, subscriber, event_id)
        runs_here = known is not None and found.type in known.handlers
        values: dict[str, Any] = dict(_made_due(action_id))
        detail: dict[str, Any] = {}
        if data is not None:
            mended = mend(current(found), kind_here(known, found)[0], data).to_json()
            detail["changes"] = changes_of(found.current, mended)
            values["envelope"] = null() if not changes_of(found.original, mended) else mended
        if runs_here:
            values |= {"attempts": 1, "unfinished": 1, "next_attempt_at": later(timeouts.lease_s)}
        row = (delivery.c.subscriber == subscriber) & (delivery.c.event_id == event_id)
        await session.execute(update(delivery).where(row).values(values))
        action = await note(
            session,
            ActionKind.REDRIVE,
            id_=action_id,
            who=who,
            subscriber=subscriber,
            event_id=event_id,
            detail=detail,
            total=1,
        )
        claimed = await letter(session, subscriber, event_id)
    if known is not None and runs_here:
        due = Due(event_id, claimed.attempts, claimed.current, claimed.reason)
        handling = Handling(database, known, timeout_s=timeouts.handler_s)
        await DueDeliveries(database, known, handling).settle([due])
    return await _what_happened(database, action, ran=runs_here)


def kind_here(subscriber: Subscriber | None, found: Letter) -> tuple[type[Event], Handler]:
    """Return the class and the handler of an event; raises NotHandledHereError."""
    if subscriber is None or found.type not in subscriber.handlers:
        msg = f"This process has no handler of {found.subscriber} for {found.type}."
        raise NotHandledHereError(msg)
    return subscriber.handlers[found.type]


def current(found: Letter) -> Envelope:
    """Return the envelope that would be run, as an operator left it."""
    return Envelope.model_validate_json(found.current)


def changes_of(old: str, new: str) -> list[dict[str, Any]]:
    """Return where the data of two envelopes differs."""
    before, after = (Envelope.model_validate_json(text).data for text in (old, new))
    return differences(before, after)


async def _what_happened(database: Transactions, action: Action, *, ran: bool) -> Redriven:
    if action.subscriber is None or action.event_id is None:
        msg = "the action names no single delivery"
        raise ValueError(msg)
    async with database.read() as session:
        try:
            left = await letter(session, action.subscriber, action.event_id)
        except NoDeliveryError:
            return Redriven(action=action, ran=ran, outcome="handled", attempts=1)
    return Redriven(
        action=action,
        ran=ran,
        outcome=left.state,
        attempts=left.attempts,
        next_attempt_at=left.next_attempt_at,
        error_type=left.error_type,
        error=left.error,
    )


async def redrive_all(session: AsyncSession, wanted: Filter, *, who: str) -> Action:
    """Make every delivery due that meets the filter, by one UPDATE; the loops run them.

    The state of the filter is dead or discarded. The action's progress tells how far they are.
    """
    if wanted.state is State.DUE:
        msg = "what is due is run anyway"
        raise ValueError(msg)
    if wanted.state is State.DISCARDED:
        # Retention may be about to take these events; what is dead it leaves alone.
        await settled.hold(session)
    action_id = new_id()
    key = (delivery.c.subscriber, delivery.c.event_id)
    # Locked in order, so that two operators with overlapping filters wait instead of deadlocking;
    # once, which PostgreSQL promises for no plain subquery.
    chosen = (
        select(*key)
        .where(*wanted.conditions(session))
        .order_by(*key)
        .with_for_update(of=delivery)
        .cte("chosen")
    )
    await session.execute(
        update(delivery).where(tuple_(*key).in_(select(chosen))).values(_made_due(action_id))
    )
    # Not the row count of the statement: of one that begins with WITH, SQLite's driver has none.
    made = select(func.count()).select_from(delivery).where(delivery.c.action_id == action_id)
    total = await session.scalar(made)
    return await note(
        session,
        ActionKind.REDRIVE,
        id_=action_id,
        who=who,
        subscriber=wanted.subscriber,
        detail={"filter": wanted.described()},
        total=total or 0,
    )


def _made_due(action_id: UUID) -> dict[str, Any]:
    """Return what makes a row due now, as if it had never been tried.

    A replay stays one: its inbox row is there, and without that reason it would not run.
    """
    return {
        "state": State.DUE,
        "reason": case(
            (delivery.c.reason == Reason.REPLAY, Reason.REPLAY.value), else_=Reason.REDRIVE.value
        ),
        "attempts": 0,
        "unfinished": 0,
        "next_attempt_at": now(),
        "action_id": action_id,
        "updated_at": now(),
    }


async def discard(
    session: AsyncSession, subscriber: str, event_id: UUID, *, who: str, reason: str
) -> Action:
    """Waive a dead letter for a reason, which the action keeps; redrive takes it back.

    Its error stays as it is. Raises NoDeliveryError, NotGivenUpError.
    """
    found = await given_up(session, subscriber, event_id)
    if found.state is not State.DEAD:
        msg = f"{event_id} is discarded already for {subscriber}."
        raise NotGivenUpError(msg)
    action_id = new_id()
    await session.execute(
        update(delivery)
        .where(delivery.c.subscriber == subscriber, delivery.c.event_id == event_id)
        .values(state=State.DISCARDED, action_id=action_id, updated_at=now())
    )
    return await note(
        session,
        ActionKind.DISCARD,
        id_=action_id,
        who=who,
        subscriber=subscriber,
        event_id=event_id,
        detail={"reason": reason},
        total=1,
    )
