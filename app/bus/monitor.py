"""The monitor: a reading every few seconds, kept for some minutes, so that rates can be told."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from app.bus.errors import is_transient
from app.bus.reading import COUNTED, Reading, read
from app.bus.sql import Transactions
from app.bus.stream import Stream
from app.bus.supervise import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What came by between two readings, per second; None where nobody can tell.

    added is by context, handled by subscriber: of what came by the stream, not of what was due.
    """

    recorded: float | None = None
    published: float | None = None
    added: Mapping[str, float | None] = field(default_factory=dict)
    handled: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A moment of the recent past."""

    at: datetime
    recorded_per_s: float | None
    published_per_s: float | None
    handled_per_s: Mapping[str, float | None]
    unpublished: int
    lag: Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPolicy:
    """How often to take a reading, and for how long to keep it, in seconds."""

    every_s: float = 5.0
    keep_s: float = 300.0


class Monitor:
    """One loop in every process that has the API; costs two statements and a script per stream.

    An engine that does not answer is part of what it finds, and no trouble of its own.
    """

    name = "monitor"

    def __init__(
        self, database: Transactions, stream: Stream, policy: MonitorPolicy | None = None
    ) -> None:
        self._database = database
        self._stream = stream
        self._policy = policy or MonitorPolicy()
        kept = round(self._policy.keep_s / self._policy.every_s) + 1
        self._readings: deque[Reading] = deque(maxlen=kept)

    async def run(self, pulse: Pulse) -> None:
        """Take readings until told to stop."""
        while not pulse.stopping:
            try:
                self._readings.append(await read(self._database, self._stream))
            except Exception as error:
                if not is_transient(error):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            await pulse.sleep(self._policy.every_s)

    def rates(self, now: Reading) -> Rates:
        """Return the rates up to a reading; nothing when there is none before to compare with."""
        # Against one that is too young, a single event would be a storm.
        least_s = self._policy.every_s / 2
        for before in reversed(self._readings):
            if now.taken_s - before.taken_s >= least_s:
                return rates(before, now)
        return Rates()

    def history(self) -> list[Sample]:
        """Return what the readings say, the oldest first."""
        readings = list(self._readings)
        return [_sample(before, after) for before, after in pairwise(readings)]


def rates(before: Reading, after: Reading) -> Rates:
    """Return what came by between two readings."""
    seconds = max(after.taken_s - before.taken_s, 1e-3)

    def per_s(old: int | None, new: int | None) -> float | None:
        # A stream that was flushed begins to count anew.
        return None if old is None or new is None or new < old else round((new - old) / seconds, 3)

    old, new = before.streams or {}, after.streams or {}
    return Rates(
        recorded=per_s(0, after.recorded_since(before)),
        published=per_s(before.published, after.published),
        added={
            context: per_s(old[context].added, view.added) if context in old else None
            for context, view in new.items()
        },
        handled={
            name: per_s(before.handled_of(name), after.handled_of(name))
            for name in sorted(after.registry)
        },
    )


def _sample(before: Reading, after: Reading) -> Sample:
    between = rates(before, after)
    return Sample(
        at=after.at,
        recorded_per_s=between.recorded,
        published_per_s=between.published,
        handled_per_s=between.handled,
        unpublished=min(after.unpublished, COUNTED),
        lag={name: after.lag_of(name) for name in sorted(after.registry)},
    )
