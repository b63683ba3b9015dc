"""The loop that runs what the database owes: one per subscriber, beside its consumer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import anyio

from app.bus import lease
from app.bus.backlog import Backlog
from app.bus.delivery import Reason, State
from app.bus.errors import is_transient
from app.bus.event import Envelope
from app.bus.handling import Handling
from app.bus.lease import Due
from app.bus.pause import Pauses
from app.bus.solitude import Solitude
from app.bus.source import Delivery, FromDatabase
from app.bus.sql import Transactions
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse
from app.bus.verdict import Verdict

# What one that is cut short may still take to hand back.
_LAST_S = 1.0


# How many run at a time, by the deaths they were near.
_SUSPECTS = ((3, 1), (2, 1), (1, 12))


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePolicy:
    """Page size and waits, in seconds. lease_s must outlast a handler's timeout.

    While the stream waits, the time spent on rows that fail earns rest_factor times as much rest,
    rest_most_s at most: they take a twentieth of what its events could have.

    alone says that no other process runs these rows, so that what is claimed when this one starts
    was claimed by its dead predecessor.
    """

    page: int = 200
    poll_s: float = 0.5
    lease_s: float = 30.0
    rest_factor: float = 19.0
    rest_most_s: float = 30.0
    alone: bool = False


class DueDeliveries:
    """Claims due rows of one subscriber and runs them like entries of the stream.

    An attempt counts when it is claimed, so one that kills the process counts too. Rows with an
    attempt that never came back run while nothing else in the process does, and after four such
    attempts they are dead letters.
    """

    def __init__(  # noqa: PLR0913 - what a loop shares with its process
        self,
        database: Transactions,
        subscriber: Subscriber,
        handling: Handling | None = None,
        policy: DuePolicy | None = None,
        *,
        backlog: Backlog | None = None,
        solitude: Solitude | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        self.name = f"due:{subscriber.name}"
        self._database = database
        self._subscriber = subscriber
        self._handling = handling or Handling(database, subscriber)
        self._policy = policy or DuePolicy()
        self._backlog = backlog or Backlog()
        self._solitude = solitude or Solitude()
        self._pauses = pauses or Pauses()
        self._alone = self._policy.alone
        self._wasted_s = 0.0
        self._in_hand: dict[UUID, int] = {}

    async def run(self, pulse: Pulse) -> None:
        """Run what is due until told to stop; what is in hand then is ripe again at once."""
        try:
            await self._run(pulse)
        except anyio.get_cancelled_exc_class():
            await self._leave()
            raise
        await self._leave()

    async def _leave(self) -> None:
        """Let nobody wait for a lease; where the database is away, it has to run out."""
        with anyio.move_on_after(_LAST_S, shield=True):
            try:
                await self._hand_back()
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _run(self, pulse: Pulse) -> None:
        while await self._pauses.go_on(self._subscriber.name, pulse):
            try:
                await self._take_over()
                ran = await self.run_page()
            except Exception as error:
                if not is_transient(error):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            if not ran:
                await pulse.sleep(self._policy.poll_s)
            await self._rest(pulse)

    async def _rest(self, pulse: Pulse) -> None:
        """Leave the engines to a stream that waits, for as long as failures earned.

        A delay is a promise to try not before, so keeping off breaks none. What succeeds earns no
        rest: losses, fills and replays run at full speed beside the stream.
        """
        policy = self._policy
        until = time.monotonic() + min(policy.rest_most_s, self._wasted_s * policy.rest_factor)
        self._wasted_s = 0.0
        while self._backlog.waiting and not pulse.stopping:
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            await pulse.sleep(min(left_s, policy.poll_s))
            pulse.beat()

    async def _take_over(self) -> None:
        """Once, and when alone: wait for no lease of a process that is dead."""
        if self._alone:
            async with self._database.write() as session:
                await lease.expire(session, self._subscriber.name)
            self._alone = False

    async def run_page(self) -> int:
        """Run one page of due rows, or some suspects, and return how many were settled.

        Suspects of one death run by the dozen: most of them were only near it. Those of more run
        one by one, so that the next death is nobody else's, and twice, because somebody outside
        may have killed the process just then.
        """
        began = time.monotonic()
        await self._hand_back()
        buried = await self._bury()
        ran = 0
        if await self._suspected():
            async with self._solitude.alone():
                for deaths, limit in _SUSPECTS:
                    ran = ran or await self._run_some(began, deaths=deaths, limit=limit)
        if not ran:
            async with self._solitude.company():
                ran = await self._run_some(began, deaths=0, limit=self._policy.page)
        return buried + ran

    async def _suspected(self) -> bool:
        async with self._database.read() as session:
            return await lease.suspected(session, self._subscriber.name)

    async def _run_some(self, began: float, *, deaths: int, limit: int) -> int:
        claimed = await self._claim(deaths=deaths, limit=limit)
        if claimed:
            failed = await self.settle(claimed)
            self._wasted_s = (time.monotonic() - began) * failed / len(claimed)
        return len(claimed)

    async def _claim(self, *, deaths: int, limit: int) -> list[Due]:
        async with self._database.write() as session:
            claimed = await lease.claim(
                session,
                self._subscriber.name,
                self._subscriber.handlers,
                limit=limit,
                lease_s=self._policy.lease_s,
                deaths=deaths,
            )
        self._in_hand = {row.event_id: row.attempts for row in claimed}
        return claimed

    async def settle(self, claimed: Sequence[Due]) -> int:
        """Run claimed rows, and return how many failed.

        When the engines fail, they stay in hand and are handed back first.
        """
        deliveries: list[Delivery] = []
        misfits: list[Verdict] = []
        for row in claimed:
            given = self._handling.open(
                Envelope.model_validate_json(row.envelope), row.attempts, Reason(row.reason)
            )
            if isinstance(given, Delivery):
                deliveries.append(given)
            else:
                misfits.append(given)
        source = FromDatabase(self._subscriber.name)
        if misfits:
            await self._handling.write(misfits, source)
        failed = len(misfits)
        if deliveries:
            failed += await self._handling.run(deliveries, source)
        self._in_hand = {}
        return failed

    async def _bury(self) -> int:
        """Make dead letters of rows that nobody will ever finish."""
        name = self._subscriber.name
        async with self._database.read() as session:
            hopeless = await lease.hopeless(
                session, name, self._subscriber.handlers, self._policy.page
            )
        if hopeless:
            verdicts = [_hopeless(row) for row in hopeless]
            await self._handling.write(verdicts, FromDatabase(name))
        return len(hopeless)

    async def _hand_back(self) -> None:
        """Give back what an engine's failure left in hand: it was no attempt."""
        if self._in_hand:
            async with self._database.write() as session:
                await lease.hand_back(session, self._subscriber.name, self._in_hand)
            self._in_hand = {}


def _hopeless(row: Due) -> Verdict:
    envelope = Envelope.model_validate_json(row.envelope)
    if row.reason == Reason.PARKED:
        error_type, error = "UnknownType", f"no build had a handler for {envelope.type} in time"
    else:
        error_type = "Unfinished"
        error = f"{row.attempts} attempts, and the last ones ended with the process"
    return Verdict(
        event_id=row.event_id,
        event_type=envelope.type,
        cause=envelope,
        state=State.DEAD,
        attempts=row.attempts,
        error_type=error_type,
        error=error,
    )
