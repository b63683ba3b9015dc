"""Handling: run handlers on deliveries, in one transaction, and write what became of each.

Whether they came from the stream or from a due row, every delivery given here ends settled: its
effects are committed with its inbox row, or its delivery row says what is to happen.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from random import Random
from uuid import UUID

import structlog
from sqlalchemy import select

from app.bus.account import Account
from app.bus.blame import Runner, may_be_told_apart
from app.bus.delivery import Reason, State, Verdict
from app.bus.errors import HandlerError, is_transient
from app.bus.event import Envelope, Event
from app.bus.fuse import Fuse
from app.bus.retry import Outcome, RetryPolicy
from app.bus.source import Delivery, Source
from app.bus.sql import Transactions
from app.bus.subscriber import Failed, Handler, Subscriber
from app.bus.timeouts import Timeouts

log = structlog.get_logger(__name__)

_TRANSIENT_LIMIT = 3


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a transaction settled: how many events failed in it, and what it left for others."""

    failed: int
    left: Sequence[Delivery]


class Handling:
    """Runs deliveries for one subscriber, whichever source they come from.

    One at a time: a loop has its own. The fuse, when there is one, learns how each event went.
    """

    def __init__(
        self,
        database: Transactions,
        subscriber: Subscriber,
        random: Random | None = None,
        fuse: Fuse | None = None,
        *,
        timeout_s: float = Timeouts().handler_s,
    ) -> None:
        self._database = database
        self._subscriber = subscriber
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._fuse = fuse
        self._account = Account(subscriber.name)
        self._runner = Runner(timeout_s, self._account.took)
        self._transient: Counter[UUID] = Counter()

    def open(
        self, envelope: Envelope, attempts: int = 1, reason: Reason | None = None
    ) -> Delivery | Verdict:
        """Return the delivery of an event of a known type, or what becomes of a misfit."""
        kind, handler = self._subscriber.handlers[envelope.type]
        try:
            return Delivery(envelope.open(kind), handler, attempts, reason)
        except Exception as error:  # noqa: BLE001 - validators and upcasters raise what they like
            return self.unreadable(envelope, handler, attempts, error)

    async def run(self, deliveries: Sequence[Delivery], source: Source) -> int:
        """Settle deliveries, and return how many failed: in one transaction, split if it raises.

        Events that raise are told from the others in the next one, and then run alone. Raises only
        what tells of the engines rather than of the events; what was not settled then is as it
        was before.
        """
        with self._account.of(deliveries):
            return await self._run(deliveries, source)

    async def _run(self, deliveries: Sequence[Delivery], source: Source) -> int:
        waiting = [deliveries]
        careful: Sequence[Delivery] = ()
        stuck: list[Exception] = []
        failed = 0
        while waiting:
            batch = waiting.pop()
            try:
                settled = await self._transaction(batch, source, careful=batch is careful)
            except Exception as error:
                if is_transient(error) and not await self._database_answers():
                    raise
                if len(batch) > 1 and batch is not careful and may_be_told_apart(error):
                    careful = batch
                    waiting.append(batch)
                elif len(batch) > 1:
                    waiting += reversed(_split(batch, self._runner.at))
                elif not self._may_pass(batch[0], error):
                    await self._give_verdict(batch[0], source, error)
                    failed += 1
                elif len(stuck) == _TRANSIENT_LIMIT - 1:
                    # Not one event's trouble: going on would only add to it.
                    raise
                else:
                    stuck.append(error)
            else:
                failed += settled.failed
                waiting += [[given] for given in reversed(settled.left)]
        if stuck:
            raise stuck[0]
        return failed

    def _may_pass(self, given: Delivery, error: Exception) -> bool:
        """Tell whether waiting may help: the third time alone, the event is to blame after all."""
        if not is_transient(error):
            return False
        self._transient[given.event.id] += 1
        return self._transient[given.event.id] < _TRANSIENT_LIMIT

    async def _database_answers(self) -> bool:
        try:
            async with self._database.read() as session:
                await session.execute(select(1))
        except Exception as error:
            if not is_transient(error):
                raise
            return False
        return True

    async def _transaction(
        self, deliveries: Sequence[Delivery], source: Source, *, careful: bool
    ) -> _Settled:
        """Run deliveries and settle them; with care, those that raise are left as they were.

        Raises what a handler raises, but with care.
        """
        run = self._runner.carefully if careful else self._runner.plainly
        failed: dict[UUID, Verdict] = {}
        culprits: set[UUID] = set()
        async with self._database.write() as session:
            runnable = await source.claim(session, _attempts(deliveries))
            by_id = _first_copies(deliveries, runnable)
            for handler, batch in groupby(by_id.values(), key=lambda given: given.handler):
                ran = await run(handler, list(batch), session)
                culprits |= ran.culprits
                for failure in ran.returned:
                    failed[failure.event.id] = self._returned(by_id[failure.event.id], failure)
            if culprits:
                await source.give_back(session, culprits)
            await source.settle(session, failed)
        kept = [given for event_id, given in by_id.items() if event_id not in culprits]
        self._account.settled(kept, failed)
        if self._transient:
            for given in deliveries:
                self._transient.pop(given.event.id, None)
        # A line for each event costs as much as handling it: one who asks for debug gets them.
        all_told = log.is_enabled_for(logging.DEBUG)
        for event_id, given in by_id.items():
            if event_id not in culprits:
                self._note(failed=False)
                if all_told or event_id in failed:
                    self._log(given.event, given.handler, failed.get(event_id))
        return _Settled(
            len(failed), [by_id[event_id] for event_id in by_id if event_id in culprits]
        )

    async def _give_verdict(self, given: Delivery, source: Source, error: Exception) -> None:
        """Write what a raised error means, under the key: a twin that succeeded leaves nothing."""
        self._transient.pop(given.event.id, None)
        cause = error.__cause__ if isinstance(error, HandlerError) else error
        verdict = self._judge(
            given, given.handler.retry.outcome(cause or error), type(cause).__name__, str(cause)
        )
        if await self._written([verdict], source):
            self._log(given.event, given.handler, verdict, error)

    async def write(self, verdicts: Sequence[Verdict], source: Source) -> None:
        """Write verdicts on events no handler was called for, unless they are settled already."""
        for verdict in await self._written(verdicts, source):
            self._log_failure(
                verdict, event_id=str(verdict.event_id), **verdict.cause.consequence().log_fields
            )

    async def _written(self, verdicts: Sequence[Verdict], source: Source) -> list[Verdict]:
        """Write verdicts in a transaction that holds their keys, and return those that it took."""
        async with self._database.write() as session:
            runnable = await source.claim(session, {one.event_id: one.attempts for one in verdicts})
            taken = {one.event_id: one for one in verdicts if one.event_id in runnable}
            await source.settle(session, taken)
        for verdict in taken.values():
            self._account.failed(verdict)
            self._note(failed=verdict.state is not State.DISCARDED)
        return list(taken.values())

    def _note(self, *, failed: bool) -> None:
        if self._fuse is not None:
            self._fuse.note(failed=failed)

    def _returned(self, given: Delivery, failure: Failed[Event]) -> Verdict:
        outcome = Outcome.DEAD_LETTER if failure.permanent else Outcome.RETRY
        return self._judge(given, outcome, "Failed", failure.reason)

    def _judge(self, given: Delivery, outcome: Outcome, error_type: str, error: str) -> Verdict:
        state, delay_s = self._fate(given.handler.retry, outcome, given.attempts)
        return Verdict(
            event_id=given.event.id,
            event_type=given.event.type,
            cause=given.event,
            state=state,
            attempts=given.attempts,
            delay_s=delay_s,
            error_type=error_type,
            error=error,
        )

    def unreadable(
        self, envelope: Envelope, handler: Handler, attempts: int, error: Exception
    ) -> Verdict:
        """Judge an event that does not fit its class: a build to come may read it."""
        state, delay_s = self._fate(handler.retry, handler.retry.outcome(error), attempts)
        return Verdict(
            event_id=envelope.id,
            event_type=envelope.type,
            cause=envelope,
            state=state,
            attempts=attempts,
            delay_s=delay_s,
            error_type=type(error).__name__,
            error=str(error),
        )

    def _fate(self, retry: RetryPolicy, outcome: Outcome, attempts: int) -> tuple[State, float]:
        """Return where a failed delivery goes, and in how many seconds it is tried again."""
        if outcome is Outcome.DISCARD:
            return State.DISCARDED, 0.0
        delay_s = retry.delay_s(attempts, self._random)
        if outcome is Outcome.DEAD_LETTER or delay_s is None:
            return State.DEAD, 0.0
        return State.DUE, delay_s

    def _log(
        self,
        event: Event,
        handler: Handler,
        verdict: Verdict | None,
        error: BaseException | None = None,
    ) -> None:
        if verdict is not None:
            self._log_failure(verdict, handler=handler.name, exc_info=error, **event.log_fields)
            return
        log.debug(
            "event handled", subscriber=self._subscriber.name, type=event.type, **event.log_fields
        )

    def _log_failure(self, verdict: Verdict, **fields: object) -> None:
        write = log.error if verdict.state is State.DEAD else log.warning
        write(
            "event failed",
            subscriber=self._subscriber.name,
            type=verdict.event_type,
            becomes=verdict.state.value,
            attempts=verdict.attempts,
            retry_in_s=round(verdict.delay_s, 2) if verdict.state is State.DUE else None,
            error=f"{verdict.error_type}: {verdict.error}"[:500],
            **fields,
        )


def _attempts(deliveries: Iterable[Delivery]) -> dict[UUID, int]:
    return {given.event.id: given.attempts for given in deliveries}


def _first_copies(
    deliveries: Sequence[Delivery], runnable: AbstractSet[UUID]
) -> dict[UUID, Delivery]:
    """Return one delivery per runnable event: the relay may have sent the same one twice."""
    first: dict[UUID, Delivery] = {}
    for given in deliveries:
        if given.event.id in runnable:
            first.setdefault(given.event.id, given)
    return first


def _split(batch: Sequence[Delivery], at: UUID | None) -> list[Sequence[Delivery]]:
    """Return batch in smaller parts: around the event whose handler raised, else in half.

    It may be the victim of another one, whose changes were sent late, so it is run again alone.
    """
    for place, given in enumerate(batch):
        if given.event.id == at:
            parts = [batch[:place], batch[place : place + 1], batch[place + 1 :]]
            return [part for part in parts if part]
    half = len(batch) // 2
    return [batch[:half], batch[half:]]
