"""The consumer: reads a subscriber's streams and hands its events to the handlers."""

import time
from collections.abc import Sequence, Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

import anyio
import structlog
from pydantic import ValidationError

from app.bus import delivery as owed, inbox, scripts
from app.bus.backlog import Backlog
from app.bus.errors import StreamError, is_transient
from app.bus.event import Envelope
from app.bus.fuse import Fuse
from app.bus.handling import Handling
from app.bus.pause import Pauses
from app.bus.solitude import Solitude
from app.bus.source import Delivery, FromStream
from app.bus.sql import Transactions
from app.bus.stream import Entry, Reader, Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse
from app.bus.timeouts import Timeouts
from app.bus.verdict import Verdict

log = structlog.get_logger(__name__)

# What one that is cut short may still take to hand back.
_LAST_S = 1.0

# How long the registry is taken for what it was.
_TYPES_HOLD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPolicy:
    """Batch size and waits, in seconds.

    claim_idle_s is how long an entry may stay unacknowledged before any consumer of the group
    takes it over; it bounds latency after a crash, never correctness. An entry delivered
    deliveries_limit times was never settled by any of them, and becomes a due row.

    When of the last pause_window events, pause_least of them at least, a share of pause_share
    failed in ways nobody expected, reading stops. Every pause_s one event is tried, until one
    goes well.
    """

    batch: int = 500
    block_s: float = 1.0
    claim_idle_s: float = 30.0
    reclaim_every_s: float = 1.5
    deliveries_limit: int = 3
    handler_timeout_s: float = Timeouts().handler_s
    pause_window: int = 100
    pause_least: int = 20
    pause_share: float = 0.9
    pause_s: float = 10.0


class Consumer:
    """One loop for one subscriber: read a batch, settle it in the database, acknowledge it.

    The acknowledgement comes after the commit: a crash in between redelivers, and the inbox
    absorbs it. What fails becomes a row of the delivery table, so that the stream is never where
    a failure waits.
    """

    def __init__(  # noqa: PLR0913 - what a loop shares with its process
        self,
        database: Transactions,
        stream: Stream,
        subscriber: Subscriber,
        consumer_name: str,
        policy: ConsumerPolicy | None = None,
        *,
        solitude: Solitude | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        self.name = f"consumer:{subscriber.name}"
        self._database = database
        self._stream = stream
        self._subscriber = subscriber
        self._source = FromStream(subscriber.name)
        self._consumer_name = consumer_name
        self._policy = policy or ConsumerPolicy()
        self.backlog = Backlog()
        self._fuse = Fuse(
            window=self._policy.pause_window,
            least=self._policy.pause_least,
            share=self._policy.pause_share,
        )
        self._handling = Handling(
            database, subscriber, fuse=self._fuse, timeout_s=self._policy.handler_timeout_s
        )
        self._paused: str | None = None
        self._solitude = solitude or Solitude()
        self._pauses = pauses or Pauses()
        self._took_over = False
        self._reclaimed_at = 0.0
        self._registered: AbstractSet[str] = frozenset()
        self._asked_at = float("-inf")

    async def run(self, pulse: Pulse) -> None:
        """Consume until told to stop, through lost groups and unreachable engines."""
        try:
            await self._consume(pulse)
        except anyio.get_cancelled_exc_class():
            # Out of time with a batch in hand, which is rolled back by now.
            with anyio.move_on_after(_LAST_S, shield=True):
                await self._hand_back()
            raise
        await self._hand_back()

    async def _consume(self, pulse: Pulse) -> None:
        contexts, group = self._subscriber.contexts, self._subscriber.name
        while await self._pauses.go_on(group, pulse):
            try:
                await self._stream.ensure_groups(contexts, group)
                async with self._stream.reader(
                    contexts, group, self._consumer_name, block_s=self._policy.block_s
                ) as reader:
                    await self._finish_own(reader, pulse)
                    while self._goes_on(pulse):
                        if self._paused or self._fuse.blown:
                            await self._pause(reader, pulse)
                        else:
                            await self._round(reader, pulse)
                if not pulse.stopping:
                    await self._hand_back()
            except Exception as error:
                if not (isinstance(error, StreamError) or is_transient(error)):
                    raise
                await pulse.wait_out(error)

    def _goes_on(self, pulse: Pulse) -> bool:
        return not pulse.stopping and self._pauses.why(self._subscriber.name) is None

    async def _hand_back(self) -> None:
        """Leave nothing waiting for claim idle: what is still ours is the others' at once."""
        # An engine that is away has nothing of ours to give; they will claim it in their time.
        with suppress(StreamError):
            for context in self._subscriber.contexts:
                await scripts.hand_back(
                    self._stream,
                    context,
                    self._subscriber.name,
                    self._consumer_name,
                    idle_s=self._policy.claim_idle_s,
                )

    async def _finish_own(self, reader: Reader, pulse: Pulse) -> None:
        """Take up what this consumer was given before it died or lost its connection."""
        seen: dict[str, str] = {}
        while self._goes_on(pulse):
            entries = await reader.own_pending(self._policy.batch, seen)
            if not entries:
                self._took_over = True
                return
            if self._took_over:
                # Only the engines came between: what this process has lived through is harmless.
                await self._process(entries)
            else:
                await self._again(reader, entries)
            seen |= {entry.context: entry.id for entry in entries}
            pulse.beat()

    async def _round(self, reader: Reader, pulse: Pulse) -> None:
        policy = self._policy
        if time.monotonic() - self._reclaimed_at >= policy.reclaim_every_s:
            for context in self._subscriber.contexts:
                await scripts.show_life(
                    self._stream, context, self._subscriber.name, self._consumer_name
                )
            async for page in reader.reclaim(policy.claim_idle_s, policy.batch):
                await self._again(reader, page)
                pulse.beat()
            self._reclaimed_at = time.monotonic()
        count = await self._read(reader, pulse, policy.batch)
        self.backlog.waiting = count >= policy.batch
        pulse.beat()

    async def _read(self, reader: Reader, pulse: Pulse, count: int) -> int:
        """Wait for fresh entries, process them, and return how many there were."""
        entries: list[Entry] = []
        with pulse.interruptible(), self._pauses.heeded(self._subscriber.name):
            entries = await reader.fresh(count)
        if entries:
            await self._process(entries)
        return len(entries)

    async def _pause(self, reader: Reader, pulse: Pulse) -> None:
        """Keep off the stream, but for one event now and then, until one goes well.

        What went wrong is due and tried again by its own loop; a pause only keeps everything
        else from joining it.
        """
        self.backlog.waiting = False
        if self._paused is None:
            failed, seen = self._fuse.failed, self._fuse.seen
            self._paused = f"paused: {failed} of the last {seen} events failed"
            log.error("subscriber paused", subscriber=self._subscriber.name, why=self._paused)
        await pulse.hold(self._paused, self._policy.pause_s)
        self._fuse.reset()
        # Entries that say nothing, such as those of types without a handler, are passed over.
        while self._goes_on(pulse) and not self._fuse.seen:
            if not await self._read(reader, pulse, 1):
                break
        if self._fuse.seen and not self._fuse.failed:
            self._paused = None
            pulse.beat()

    async def _again(self, reader: Reader, entries: Sequence[Entry]) -> None:
        """Process entries that were delivered before; those too often are set apart first."""
        handled = [entry for entry in entries if self._runs(entry)]
        worn = await reader.delivered_often(handled, self._policy.deliveries_limit)
        if worn:
            ids = [envelope.id for entry in worn if (envelope := _envelope(entry)) is not None]
            async with self._database.write() as session:
                await owed.isolate(session, self._subscriber.name, ids)
            await self._stream.ack(self._subscriber.name, worn)
        rest = [entry for entry in entries if entry not in worn]
        if rest:
            await self._process(rest)

    def _runs(self, entry: Entry) -> bool:
        """Tell whether an entry makes a handler of ours run."""
        envelope = _envelope(entry)
        return envelope is not None and envelope.type in self._subscriber.handlers

    async def _process(self, entries: Sequence[Entry]) -> None:
        """Settle entries in the database, then acknowledge them, every one."""
        deliveries: list[Delivery] = []
        misfits: list[Verdict] = []
        strangers: list[Envelope] = []
        for entry in entries:
            envelope = _envelope(entry)
            if envelope is None:
                # The relay sends envelopes only: this is no event of ours, or was trimmed away.
                log.error("entry holds no event", subscriber=self._subscriber.name, entry=entry.id)
            elif envelope.type not in self._subscriber.handlers:
                strangers.append(envelope)
            elif isinstance(given := self._handling.open(envelope), Delivery):
                deliveries.append(given)
            else:
                misfits.append(given)
        if strangers:
            await self._park(strangers)
        if misfits:
            await self._handling.write(misfits, self._source)
        if deliveries:
            async with self._solitude.company():
                await self._handling.run(deliveries, self._source)
        await self._stream.ack(self._subscriber.name, entries)

    async def _park(self, strangers: Sequence[Envelope]) -> None:
        """Make due what another build of this subscriber handles; the rest is nobody's here."""
        name = self._subscriber.name
        types = await self._types()
        parked = [envelope.id for envelope in strangers if envelope.type in types]
        if parked:
            async with self._database.write() as session:
                await owed.park(session, name, parked)
            log.warning("events of unknown types parked", subscriber=name, count=len(parked))

    async def _types(self) -> AbstractSet[str]:
        """Return the types that any build of this subscriber handles, as of a second ago at most.

        A stream is full of what only others listen to, and to ask for each batch of it cost as much
        as handling an event. What a build registered since is passed over here, found by reconcile.
        """
        now = time.monotonic()
        if now - self._asked_at >= _TYPES_HOLD_S:
            async with self._database.read() as session:
                self._registered = await inbox.subscribed_types(session, self._subscriber.name)
            self._asked_at = now
        return self._registered


def _envelope(entry: Entry) -> Envelope | None:
    try:
        return Envelope.model_validate_json(entry.event or "")
    except ValidationError:
        return None
