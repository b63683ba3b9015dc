"""Trim: the stream holds what some group still needs, and never more than its cap."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import anyio
import structlog

from app.bus import scripts, settled, unregister
from app.bus.errors import StreamError, is_transient
from app.bus.scripts import Trimmed
from app.bus.sql import Transactions
from app.bus.stream import Stream
from app.bus.supervise import Pulse

log = structlog.get_logger(__name__)


class Room:
    """Which streams are full; what a relay and the trimming of one process tell each other.

    cap is the number of entries at which a stream counts as full. It has room again a tenth below,
    so that it does not open and shut with every page.
    """

    def __init__(self, cap: int = 100_000) -> None:
        self.cap = cap
        self.contexts: set[str] = set()
        self._full: set[str] = set()
        self._wanted = anyio.Event()

    @property
    def full(self) -> frozenset[str]:
        """The contexts whose events wait in the database."""
        return frozenset(self._full)

    def measured(self, lengths: Mapping[str, int]) -> None:
        """Learn how long streams are that are appended to; full ones are to be trimmed at once."""
        self.contexts.update(lengths)
        for context, length in lengths.items():
            if length >= self.cap:
                self._full.add(context)
                self._wanted.set()

    def trimmed(self, context: str, length: int) -> None:
        """Learn how long a stream is after it was trimmed."""
        if length >= self.cap and context not in self._full:
            self._full.add(context)
        elif length < self.cap - self.cap // 10:
            self._full.discard(context)

    async def wait(self, timeout_s: float) -> None:
        """Wait until a stream is full that was not, or until timeout_s passed."""
        with anyio.move_on_after(timeout_s):
            await self._wanted.wait()
        if self._wanted.is_set():
            self._wanted = anyio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimPolicy:
    """How often to trim, in seconds, and how long a stream is that nobody subscribes to.

    Every tidy_every_s, groups of unregistered subscribers go, and consumers that hold nothing and
    were idle for idle_s: processes that died, since one that lives reads all the time.
    """

    every_s: float = 2.0
    full_every_s: float = 0.2
    unread: int = 10_000
    tidy_every_s: float = 60.0
    idle_s: float = 600.0


class Trim:
    """Drops from every stream what all its registered groups have acknowledged.

    Going by their state alone, never by clock or length; where a registered group is missing
    nothing is dropped, and it is created. At the cap a group that alone holds a stream is passed
    by: reconcile makes its events due. Where several lag, or the only one, the stream is full and
    its events wait in the database. Every worker does this for itself: it is quick and idempotent.
    """

    name = "trim"

    def __init__(
        self, database: Transactions, stream: Stream, room: Room, policy: TrimPolicy | None = None
    ) -> None:
        self._database = database
        self._stream = stream
        self._room = room
        self._policy = policy or TrimPolicy()
        self._told: frozenset[str] = frozenset()
        self._tidied_at = -math.inf

    async def run(self, pulse: Pulse) -> None:
        """Trim until told to stop."""
        while not pulse.stopping:
            try:
                await self.run_round()
            except Exception as error:
                if not (isinstance(error, StreamError) or is_transient(error)):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            with pulse.interruptible():
                if self._room.full:
                    await anyio.sleep(self._policy.full_every_s)
                else:
                    await self._room.wait(self._policy.every_s)

    async def run_round(self) -> None:
        """Trim every stream once."""
        async with self._database.read() as session:
            registry = await settled.registry(session)
            former = await unregister.former_groups(session) if self._tidies() else None
        if former is not None:
            await self._tidy(registry, former)
        contexts = self._room.contexts.union(*registry.values())
        for context in sorted(contexts):
            groups = sorted(name for name, reads in registry.items() if context in reads)
            self._room.trimmed(context, (await self._trim(context, groups)).length)
        self._tell()

    def _tidies(self) -> bool:
        return anyio.current_time() - self._tidied_at >= self._policy.tidy_every_s

    async def _tidy(
        self, registry: Mapping[str, Collection[str]], former: Collection[tuple[str, str]]
    ) -> None:
        """Remove groups that were unregistered, and consumers whose process is long gone."""
        for context, group in sorted(former):
            # Its stream may be nobody's now, and is then cut to its newest entries.
            self._room.contexts.add(context)
            if await scripts.disband(self._stream, context, group):
                log.info(
                    "group of an unregistered subscriber removed", stream=context, subscriber=group
                )
        for group, contexts in sorted(registry.items()):
            for context in sorted(contexts):
                gone = await scripts.forget_idle(
                    self._stream, context, [group], idle_s=self._policy.idle_s
                )
                if gone:
                    log.info("idle consumers forgotten", subscriber=group, count=gone)
        self._tidied_at = anyio.current_time()

    async def _trim(self, context: str, groups: Collection[str]) -> Trimmed:
        done = await scripts.trim(
            self._stream, context, [*groups], cap=self._room.cap, unread=self._policy.unread
        )
        for group in done.missing:
            log.warning("group missing, so it is created", stream=context, subscriber=group)
            await self._stream.ensure_groups([context], group)
        if done.passed:
            log.warning(
                "stream trimmed past the one subscriber that lags: reconcile makes its events due",
                stream=context,
                subscriber=done.passed,
            )
        return done

    def _tell(self) -> None:
        """Say in the log which streams filled up, and which have room again."""
        full, told = self._room.full, self._told
        for context in sorted(full - told):
            log.warning("stream full, so its events wait in the database", stream=context)
        for context in sorted(told - full):
            log.info("stream has room again", stream=context)
        self._told = full
