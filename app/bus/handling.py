"""Handling: run handlers on deliveries, in one transaction, and write what became of each.

Whether they came from the stream or from a due row, every delivery given here ends settled: its
effects are committed with its inbox row, or its delivery row says what is to happen.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from itertools import groupby
from operator import attrgetter
from random import Random
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.bus import failure_log
from app.bus.account import Account
from app.bus.blame import How, Runner, may_be_told_apart
from app.bus.delivery import Reason, State
from app.bus.errors import is_transient
from app.bus.event import Envelope
from app.bus.failure_log import Failure
from app.bus.fuse import Fuse
from app.bus.judge import Judge
from app.bus.source import Delivery, Source
from app.bus.sql import Transactions
from app.bus.subscriber import Subscriber
from app.bus.timeouts import Timeouts
from app.bus.verdict import Verdict

log = structlog.get_logger(__name__)

_TRANSIENT_LIMIT = 3


class _Settled(NamedTuple):
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
        self._judge = Judge(random or Random())  # noqa: S311 - spreads load, guards nothing
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
            return self._judge.unreadable(envelope, handler, attempts, error)

    async def run(self, deliveries: Sequence[Delivery], source: Source) -> int:
        """Settle deliveries, and return how many failed: in one transaction, split if it raises.

        Events that raise are told from the others in the next one, and blamed for what they raise
        alone. Raises only what tells of the engines rather than of the events; what was not
        settled then is as it was before.
        """
        with self._account.of(deliveries):
            return await self._run(deliveries, source)

    async def _run(self, deliveries: Sequence[Delivery], source: Source) -> int:
        waiting = [(deliveries, self._runner.first())]
        stuck: list[Exception] = []
        failed = 0
        while waiting:
            batch, how = waiting.pop()
            try:
                settled = await self._transaction(batch, source, how)
            except Exception as error:
                if is_transient(error) and not await self._database_answers():
                    raise
                if len(batch) > 1:
                    waiting += self._smaller(batch, how, error)
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
                if settled.left:
                    waiting.append((settled.left, How.ALONE))
        if stuck:
            raise stuck[0]
        return failed

    def _smaller(
        self, batch: Sequence[Delivery], how: How, error: Exception
    ) -> list[tuple[Sequence[Delivery], How]]:
        """Return how to go on with a batch whose transaction was lost, the first part last."""
        if how is How.ALONE:
            return [([given], how) for given in reversed(batch)]
        if how is How.PLAINLY and may_be_told_apart(error):
            return [(batch, How.CAREFULLY)]
        return [(part, How.PLAINLY) for part in reversed(_split(batch, self._runner.at))]

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
        self, deliveries: Sequence[Delivery], source: Source, how: How
    ) -> _Settled:
        """Run deliveries and settle them; suspects are left as they were.

        Raises what does not say which event is to blame.
        """
        failures: dict[UUID, Failure] = {}
        suspects: set[UUID] = set()
        self._runner.begin()
        async with self._database.write() as session:
            runnable = await source.claim(session, _attempts(deliveries))
            by_id = _first_copies(deliveries, runnable)
            for handler, batch in groupby(by_id.values(), key=attrgetter("handler")):
                ran = await self._runner.run(how, handler, list(batch), session)
                suspects |= ran.suspects
                for failure in ran.returned:
                    verdict = self._judge.returned(by_id[failure.event.id], failure, ran.took_ms)
                    failures[verdict.event_id] = Failure(verdict, handler)
                for event_id, raised in ran.blamed.items():
                    verdict = self._judge.raised(by_id[event_id], *raised)
                    failures[event_id] = Failure(verdict, handler, raised.error)
            if suspects:
                await source.give_back(session, suspects)
            verdicts = {each: one.verdict for each, one in failures.items()}
            await source.settle(session, verdicts)
        if self._transient:
            for given in deliveries:
                self._transient.pop(given.event.id, None)
        settled = [given for given in by_id.values() if given.event.id not in suspects]
        self._account.settled(settled, verdicts)
        self._tell(settled, failures)
        return _Settled(len(failures), [by_id[each] for each in by_id if each in suspects])

    def _tell(self, settled: Sequence[Delivery], failures: Mapping[UUID, Failure]) -> None:
        """Tell the log how events went, and the fuse, which cares for what nobody expected."""
        unexpected = [one.verdict for one in failures.values() if one.error is not None]
        self._note(failed=False, count=len(settled) - len(unexpected))
        for verdict in unexpected:
            self._note(failed=verdict.state is not State.DISCARDED)
        # A line for each event costs as much as handling it: one who asks for debug gets them.
        each = log.is_enabled_for(logging.DEBUG)
        failure_log.tell(self._subscriber.name, failures.values(), each=each)
        if each:
            for event in (given.event for given in settled if given.event.id not in failures):
                fields = {"type": event.type, **event.log_fields}
                log.debug("event handled", subscriber=self._subscriber.name, **fields)

    async def _give_verdict(self, given: Delivery, source: Source, error: Exception) -> None:
        """Write what a raised error means, under the key: a twin that succeeded leaves nothing."""
        self._transient.pop(given.event.id, None)
        verdict = self._judge.raised(given, error, self._runner.took_ms)
        await self._write([Failure(verdict, given.handler, error)], source)

    async def write(self, verdicts: Sequence[Verdict], source: Source) -> None:
        """Write verdicts on events no handler was called for, unless they are settled already."""
        await self._write([Failure(verdict) for verdict in verdicts], source)

    async def _write(self, failures: Sequence[Failure], source: Source) -> None:
        """Write verdicts in a transaction that holds their keys, and tell of those it took."""
        verdicts = {one.verdict.event_id: one.verdict for one in failures}
        try:
            taken = await self._written(verdicts, source)
        except IntegrityError:
            # One has become due in between, and that is seen from the start now.
            taken = await self._written(verdicts, source)
        for verdict in taken.values():
            self._account.failed(verdict)
            self._note(failed=verdict.state is not State.DISCARDED)
        told = [one for one in failures if one.verdict.event_id in taken]
        failure_log.tell(self._subscriber.name, told, each=log.is_enabled_for(logging.DEBUG))

    async def _written(
        self, verdicts: Mapping[UUID, Verdict], source: Source
    ) -> dict[UUID, Verdict]:
        async with self._database.write() as session:
            attempts = {each: verdict.attempts for each, verdict in verdicts.items()}
            runnable = await source.claim(session, attempts)
            taken = {each: verdict for each, verdict in verdicts.items() if each in runnable}
            await source.settle(session, taken)
        return taken

    def _note(self, *, failed: bool, count: int = 1) -> None:
        if self._fuse is not None:
            self._fuse.note(failed=failed, count=count)


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
