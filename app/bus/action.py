"""What operators did: one row per action, and how far its deliveries are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import BusError
from app.bus.tables import delivery, operator_action


class NoActionError(BusError):
    """No action has this id."""


class ActionKind(StrEnum):
    """What an operator can do."""

    REDRIVE = "redrive"
    DISCARD = "discard"
    REPLAY = "replay"
    FILL = "fill"
    UNREGISTER = "unregister"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What an operator did: to how many deliveries, and what they were told besides."""

    id: UUID
    action: ActionKind
    subscriber: str | None
    event_id: UUID | None
    who: str
    detail: Mapping[str, Any]
    total: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFilter:
    """Which actions are wanted: all that meet every condition given."""

    action: ActionKind | None = None
    subscriber: str | None = None
    who: str | None = None

    def described(self) -> dict[str, str | None]:
        """Return the conditions by name."""
        return {"action": self.action, "subscriber": self.subscriber, "who": self.who}


@dataclass(frozen=True, slots=True)
class Progress:
    """An action, and its deliveries that have not succeeded, by state."""

    action: Action
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many of its deliveries are settled, or were taken up by a later action."""
        return self.action.total - sum(self.left.values())


async def note(  # noqa: PLR0913 - the columns of the record
    session: AsyncSession,
    kind: ActionKind,
    *,
    who: str,
    id_: UUID,
    total: int,
    subscriber: str | None = None,
    event_id: UUID | None = None,
    detail: Mapping[str, Any],
) -> Action:
    """Record an action in the transaction that does it."""
    row = await session.execute(
        insert(operator_action)
        .values(
            id=id_,
            action=kind,
            subscriber=subscriber,
            event_id=event_id,
            who=who,
            detail=json.dumps(detail, default=str),
            total=total,
        )
        .returning(*operator_action.c)
    )
    return _action(row.one())


async def page_of_actions(
    session: AsyncSession,
    *,
    before: UUID | None,
    limit: int,
    wanted: ActionFilter | None = None,
) -> list[Action]:
    """Return up to limit actions that are wanted, the newest first, those before the given one."""
    page = select(operator_action).order_by(operator_action.c.id.desc()).limit(limit)
    if before is not None:
        page = page.where(operator_action.c.id < before)
    for name, value in (wanted.described() if wanted else {}).items():
        if value is not None:
            page = page.where(operator_action.c[name] == value)
    return [_action(row) for row in await session.execute(page)]


async def get(session: AsyncSession, action_id: UUID) -> Action:
    """Return an action; raises NoActionError."""
    query = select(operator_action).where(operator_action.c.id == action_id)
    row = (await session.execute(query)).first()
    if row is None:
        msg = f"There is no action {action_id}."
        raise NoActionError(msg)
    return _action(row)


async def progress(session: AsyncSession, action_id: UUID) -> Progress:
    """Return an action and what is left of it; raises NoActionError."""
    action = await get(session, action_id)
    states = await session.execute(
        select(delivery.c.state, func.count().label("number"))
        .where(delivery.c.action_id == action_id)
        .group_by(delivery.c.state)
    )
    return Progress(action, {row.state: row.number for row in states})


def _action(row: Row[Any]) -> Action:
    values = dict(row._mapping)  # noqa: SLF001 - the public way, whatever its name
    detail: Mapping[str, Any] = json.loads(row.detail)
    return Action(**{**values, "action": ActionKind(row.action), "detail": detail})
