"""The loop that runs what the database owes: one per subscriber, beside its consumer."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.bus import lease
from app.bus.delivery import Reason, State, Verdict
from app.bus.errors import is_transient
from app.bus.event import Envelope
from app.bus.handling import Handling
from app.bus.lease import Due
from app.bus.source import Delivery, FromDatabase
from app.bus.sql import Transactions
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePolicy:
    """Page size and waits, in seconds. lease_s must outlast a handler's timeout.

    alone says that no other process runs these rows, so that what is claimed when this one starts
    was claimed by its dead predecessor.
    """

    page: int = 200
    poll_s: float = 0.5
    lease_s: float = 30.0
    alone: bool = False


class DueDeliveries:
    """Claims due rows of one subscriber and runs them like entries of the stream.

    An attempt counts when it is claimed, so one that kills the process counts too. Rows with an
    attempt that never came back run alone, and after three such attempts they are dead letters.
    """

    def __init__(
        self,
        database: Transactions,
        subscriber: Subscriber,
        handling: Handling | None = None,
        policy: DuePolicy | None = None,
    ) -> None:
        self.name = f"due:{subscriber.name}"
        self._database = database
        self._subscriber = subscriber
        self._handling = handling or Handling(database, subscriber)
        self._policy = policy or DuePolicy()
        self._alone = self._policy.alone
        self._in_hand: dict[UUID, int] = {}

    async def run(self, pulse: Pulse) -> None:
        """Run what is due until told to stop."""
        while not pulse.stopping:
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

    async def _take_over(self) -> None:
        """Once, and when alone: wait for no lease of a process that is dead."""
        if self._alone:
            async with self._database.write() as session:
                await lease.expire(session, self._subscriber.name)
            self._alone = False

    async def run_page(self) -> int:
        """Run one page of due rows, or one suspect, and return how many were settled."""
        await self._hand_back()
        buried = await self._bury()
        claimed = await self._claim(suspects=True, limit=1)
        if not claimed:
            claimed = await self._claim(suspects=False, limit=self._policy.page)
        if claimed:
            await self.settle(claimed)
        return buried + len(claimed)

    async def _claim(self, *, suspects: bool, limit: int) -> list[Due]:
        async with self._database.write() as session:
            claimed = await lease.claim(
                session,
                self._subscriber.name,
                self._subscriber.handlers,
                limit=limit,
                lease_s=self._policy.lease_s,
                suspects=suspects,
            )
        self._in_hand = {row.event_id: row.attempts for row in claimed}
        return claimed

    async def settle(self, claimed: Sequence[Due]) -> None:
        """Run claimed rows; when the engines fail, they stay in hand and are handed back first."""
        deliveries: list[Delivery] = []
        misfits: list[Verdict] = []
        for row in claimed:
            given = self._handling.open(Envelope.model_validate_json(row.envelope), row.attempts)
            if isinstance(given, Delivery):
                deliveries.append(given)
            else:
                misfits.append(given)
        source = FromDatabase(self._subscriber.name)
        if misfits:
            await self._handling.write(misfits, source)
        if deliveries:
            await self._handling.run(deliveries, source)
        self._in_hand = {}

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
        work=envelope.consequence(),
        state=State.DEAD,
        attempts=row.attempts,
        error_type=error_type,
        error=error,
    )
