"""Pauses: an operator stops a subscriber in every process, and its events wait until it resumes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import anyio
import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.action import Action, ActionKind, note
from app.bus.errors import BusError, is_transient
from app.bus.event import new_id
from app.bus.replay import registered_types
from app.bus.sql import Transactions, changed, now, upsert
from app.bus.supervise import Pulse
from app.bus.tables import pause as pauses

log = structlog.get_logger(__name__)


# How often a loop that stands still asks whether it may go on.
_ASK_S = 0.2


class NotPausedError(BusError):
    """The subscriber is not paused, so there is nothing to resume."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused a subscriber, why, and since when."""

    subscriber: str
    who: str
    reason: str
    since: datetime

    @property
    def told(self) -> str:
        """The same as a sentence, for whoever looks at a loop."""
        return f"paused by {self.who}: {self.reason}"


async def pause(session: AsyncSession, subscriber: str, *, who: str, reason: str) -> Action:
    """Stop a subscriber in every process within two seconds or so; what it has in hand it ends.

    Its events wait in the stream and in the database. One that is paused already stays so, for
    the new reason. Raises NoSubscriberError.
    """
    await registered_types(session, subscriber)
    insert = upsert(session, pauses).values(subscriber=subscriber, who=who, reason=reason)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=["subscriber"],
            set_={"who": who, "reason": reason, "created_at": now()},
        )
    )
    return await _noted(session, ActionKind.PAUSE, subscriber, who, reason)


async def resume(session: AsyncSession, subscriber: str, *, who: str) -> Action:
    """Have a subscriber go on where it stopped; raises NoSubscriberError, NotPausedError."""
    found = await session.execute(delete(pauses).where(pauses.c.subscriber == subscriber))
    if not changed(found):
        await registered_types(session, subscriber)
        msg = f"{subscriber} is not paused."
        raise NotPausedError(msg)
    return await _noted(session, ActionKind.RESUME, subscriber, who, None)


async def _noted(
    session: AsyncSession, kind: ActionKind, subscriber: str, who: str, reason: str | None
) -> Action:
    return await note(
        session,
        kind,
        id_=new_id(),
        who=who,
        subscriber=subscriber,
        detail={} if reason is None else {"reason": reason},
        total=0,
    )


async def paused(session: AsyncSession) -> dict[str, Pause]:
    """Return the paused subscribers by name."""
    return {row.subscriber: Pause(*row) for row in await session.execute(_PAUSED)}


_PAUSED = select(pauses.c.subscriber, pauses.c.who, pauses.c.reason, pauses.c.created_at)


class Pauses:
    """What this process knows of pauses: one loop reads them, and all others ask it.

    While the database does not answer, what was known last holds.
    """

    name = "pauses"

    def __init__(self, database: Transactions | None = None, *, every_s: float = 1.0) -> None:
        self._database = database
        self._every_s = every_s
        self._known: Mapping[str, Pause] = {}
        self._waits: dict[str, set[anyio.CancelScope]] = defaultdict(set)

    @contextmanager
    def heeded(self, subscriber: str) -> Iterator[None]:
        """Mark a wait that a pause cuts short; work inside must be safe to abandon."""
        with anyio.CancelScope() as scope:
            if self.why(subscriber) is not None:
                scope.cancel()
            self._waits[subscriber].add(scope)
            try:
                yield
            finally:
                self._waits[subscriber].discard(scope)

    def why(self, subscriber: str) -> str | None:
        """Return why a subscriber is to stand still; None when it is to go on."""
        known = self._known.get(subscriber)
        return None if known is None else known.told

    async def go_on(self, subscriber: str, pulse: Pulse) -> bool:
        """Return True for as long as a loop is to run, False when it is to stop.

        During a pause it returns nothing yet, and the loop shows why.
        """
        stood = False
        while not pulse.stopping and (why := self.why(subscriber)) is not None:
            await pulse.hold(why, _ASK_S)
            stood = True
        if stood and not pulse.stopping:
            pulse.beat()
        return not pulse.stopping

    async def run(self, pulse: Pulse) -> None:
        """Look every so often until told to stop."""
        while not pulse.stopping:
            try:
                await self.look()
            except Exception as error:
                if not is_transient(error):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            await pulse.sleep(self._every_s)

    async def look(self) -> None:
        """Read who is paused now."""
        if self._database is None:
            return
        async with self._database.read() as session:
            known = await paused(session)
        for name in sorted(known.keys() - self._known.keys()):
            log.warning("subscriber paused by an operator", subscriber=name, why=known[name].told)
            for scope in self._waits[name]:
                scope.cancel()
        for name in sorted(self._known.keys() - known.keys()):
            log.info("subscriber resumed", subscriber=name)
        self._known = known
