"""The consumer: reads a subscriber's streams and applies each event's effects exactly once."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox
from app.bus.errors import StreamError, is_transient
from app.bus.event import Envelope, Event, current_context
from app.bus.sql import Transactions
from app.bus.stream import Entry, Reader, Stream
from app.bus.subscriber import Handler, Subscriber
from app.bus.supervise import Pulse

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPolicy:
    """Batch size and waits, in seconds.

    claim_idle_s is how long an entry may stay unacknowledged before any consumer of the group
    takes it over; it bounds latency after a crash, never correctness.
    """

    batch: int = 100
    block_s: float = 1.0
    claim_idle_s: float = 30.0
    reclaim_every_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry, the event in it, and the handler it goes to."""

    entry: Entry
    event: Event
    handler: Handler


class Consumer:
    """One loop for one subscriber: read a batch, run it in one transaction, acknowledge.

    The inbox rows come first in that transaction, so a copy of an event waits for its twin and
    then finds it done. The acknowledgement comes after the commit: a crash in between redelivers,
    and the inbox absorbs it. An event whose handler raises stays pending and is tried again after
    claim_idle_s; its neighbours go on.
    """

    def __init__(
        self,
        database: Transactions,
        stream: Stream,
        subscriber: Subscriber,
        consumer_name: str,
        policy: ConsumerPolicy | None = None,
    ) -> None:
        self.name = f"consumer:{subscriber.name}"
        self._database = database
        self._stream = stream
        self._subscriber = subscriber
        self._consumer_name = consumer_name
        self._policy = policy or ConsumerPolicy()
        self._reclaimed_at = 0.0

    async def run(self, pulse: Pulse) -> None:
        """Consume until told to stop, through lost groups and unreachable engines."""
        contexts, group = self._subscriber.contexts, self._subscriber.name
        while not pulse.stopping:
            try:
                await self._stream.ensure_groups(contexts, group)
                async with self._stream.reader(
                    contexts, group, self._consumer_name, block_s=self._policy.block_s
                ) as reader:
                    await self._finish_own(reader, pulse)
                    while not pulse.stopping:
                        await self._round(reader, pulse)
            except Exception as error:
                if not (isinstance(error, StreamError) or is_transient(error)):
                    raise
                await pulse.wait_out(error)

    async def _finish_own(self, reader: Reader, pulse: Pulse) -> None:
        """Take up what this consumer was given before it died or lost its connection."""
        seen: dict[str, str] = {}
        while not pulse.stopping:
            entries = await reader.own_pending(self._policy.batch, seen)
            if not entries:
                return
            await self._process(entries)
            seen |= {entry.context: entry.id for entry in entries}
            pulse.beat()

    async def _round(self, reader: Reader, pulse: Pulse) -> None:
        policy = self._policy
        if time.monotonic() - self._reclaimed_at >= policy.reclaim_every_s:
            async for page in reader.reclaim(policy.claim_idle_s, policy.batch):
                await self._process(page)
                pulse.beat()
            self._reclaimed_at = time.monotonic()
        entries: list[Entry] = []
        with pulse.interruptible():
            entries = await reader.fresh(policy.batch)
        if entries:
            await self._process(entries)
        pulse.beat()

    async def _process(self, entries: Sequence[Entry]) -> None:
        """Run what is ours to run, then acknowledge all that needs no second look."""
        deliveries, kept = await self._decode(entries)
        failed = await self._apply(deliveries) if deliveries else set()
        kept |= failed
        done = [entry for entry in entries if entry.id not in kept]
        if done:
            await self._stream.ack(self._subscriber.name, done)

    async def _decode(self, entries: Sequence[Entry]) -> tuple[list[Delivery], set[str]]:
        """Split entries into deliveries and the ids of those that must stay pending."""
        deliveries: list[Delivery] = []
        kept: set[str] = set()
        strangers: list[tuple[Entry, Envelope]] = []
        for entry in entries:
            fields = {"subscriber": self._subscriber.name, "stream_id": entry.id}
            try:
                envelope = Envelope.model_validate_json(entry.event or "")
            except ValidationError:
                # The relay only ever sends envelopes, so nothing of ours is lost with this one.
                log.exception("entry is not an event and was dropped", **fields)
                continue
            if envelope.type not in self._subscriber.handlers:
                strangers.append((entry, envelope))
                continue
            kind, handler = self._subscriber.handlers[envelope.type]
            try:
                deliveries.append(Delivery(entry, envelope.open(kind), handler))
            except ValidationError:
                log.exception("event does not fit its class and stays pending", **fields)
                kept.add(entry.id)
        if strangers:
            kept |= await self._owed_elsewhere(strangers)
        return deliveries, kept

    async def _owed_elsewhere(self, strangers: Sequence[tuple[Entry, Envelope]]) -> set[str]:
        """Return the ids of entries that another build of this subscriber has a handler for."""
        async with self._database.read() as session:
            types = await inbox.subscribed_types(session, self._subscriber.name)
        owed = {entry.id for entry, envelope in strangers if envelope.type in types}
        if owed:
            log.warning(
                "events of a type this build does not know stay pending",
                subscriber=self._subscriber.name,
                count=len(owed),
            )
        return owed

    async def _apply(self, deliveries: Sequence[Delivery]) -> set[str]:
        """Apply deliveries and return the entry ids of those that failed.

        When a transaction raises, it is split in half and each half tried, down to the one event
        that fails. What tells of the engines rather than of the events is raised to the loop.
        """
        try:
            return await self._transaction(deliveries)
        except Exception as error:
            if isinstance(error, StreamError) or is_transient(error):
                raise
            if len(deliveries) == 1:
                self._log_failure(deliveries[0], exc_info=error)
                return {deliveries[0].entry.id}
        half = len(deliveries) // 2
        return await self._apply(deliveries[:half]) | await self._apply(deliveries[half:])

    async def _transaction(self, deliveries: Sequence[Delivery]) -> set[str]:
        async with self._database.write() as session:
            name = self._subscriber.name
            new = await inbox.claim(session, name, [given.event.id for given in deliveries])
            fresh = _first_copies(deliveries, new)
            failed: dict[Any, str] = {}
            for handler, run in groupby(fresh, key=lambda given: given.handler):
                failed |= await _call(handler, [given.event for given in run], session)
            if failed:
                await inbox.release(session, name, failed)
        for given in fresh:
            if given.event.id in failed:
                self._log_failure(given, reason=failed[given.event.id])
            else:
                log.info(
                    "event handled",
                    subscriber=name,
                    type=given.event.type,
                    **given.event.log_fields,
                )
        return {given.entry.id for given in deliveries if given.event.id in failed}

    def _log_failure(self, given: Delivery, **fields: Any) -> None:  # noqa: ANN401 - whatever the log takes
        log.error(
            "event failed and stays pending",
            subscriber=self._subscriber.name,
            handler=given.handler.name,
            type=given.event.type,
            **given.event.log_fields,
            **fields,
        )


def _first_copies(deliveries: Iterable[Delivery], new: set[Any]) -> list[Delivery]:
    """Return one delivery per new event: the relay may have sent the same one twice."""
    left = set(new)
    first: list[Delivery] = []
    for given in deliveries:
        if given.event.id in left:
            left.remove(given.event.id)
            first.append(given)
    return first


async def _call(handler: Handler, events: list[Event], session: AsyncSession) -> dict[Any, str]:
    """Run a handler and return the reasons of those that failed, by event id."""
    if handler.batch:
        failures = await handler.function(events, session)
        return {failure.event.id: failure.reason for failure in failures or ()}
    for event in events:
        token = current_context.set(event.consequence())
        try:
            await handler.function(event, session)
        finally:
            current_context.reset(token)
    return {}
