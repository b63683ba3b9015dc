"""The model: APIs, workers, a database and an engine, fed with what batches cost.

What it assumes. Orders come at random (Poisson). A batch is whatever waits when a loop comes round,
up to a limit: loops take natural batches, as ours do. Its CPU is a fixed part and a part per event,
spent in turns on the process, the database and the engine; the process's share holds its one
thread. A commit waits for the disk once, a trip to a server takes as long as the network does. One
relay is active at a time. Two batches of inventory wait for each other where they want the same
stock. Nothing else waits: no cache is cold, no loop polls in vain, no scheduler is unfair.
"""

import math
import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from bench.clockwork import Bell, Clock, Pass, Process, Resource, Wish
from bench.costs import BATCH, DECIDE, INTAKE, PASS_BY, RELAY, SETTLE, Costs
from bench.orders import LINES, SKUS

_TURNS = 3
TRIPS = 6
"""Messages and answers per hop; docs/performance.md counts them."""

_CREATED, _RESERVED, _CONFIRMED = range(3)

Event = tuple[int, float]
"""Which of an order's three events, and when the order came."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What there is: processes, cores of the database, and how far they are from each other.

    shared_cores is for everything on one machine; without it every process has a core of its own,
    the database has database_cores, and the engine has one.
    """

    apis: int
    workers: int
    database_cores: int = 64
    shared_cores: int | None = None
    trip_s: float = 0.0
    skus: int = SKUS


@dataclass
class Seen:
    """What a run of the model showed."""

    seconds: float
    waits_s: list[float] = field(default_factory=list)
    used: dict[str, float] = field(default_factory=dict)
    """Cores that were busy, by what they did."""

    def quantile_ms(self, share: float) -> float:
        """Return the time from POST to confirmed that this share did not exceed."""
        waits = sorted(self.waits_s)
        return 1000 * waits[min(len(waits) - 1, int(share * len(waits)))] if waits else math.nan


class Model:
    """One run of it, the same for the same seed."""

    def __init__(self, costs: Costs, site: Site, seed: int = 7) -> None:
        self._costs, self._site = costs, site
        self._random = random.Random(seed)
        self.clock = clock = Clock()
        one = None if site.shared_cores is None else Resource(clock, site.shared_cores)
        self._database = one or Resource(clock, site.database_cores)
        self._engine = one or Resource(clock)
        self._cores = one or Resource(clock, math.inf)
        self._relay_lock, self._levels = Resource(clock), Resource(clock)
        self._outbox: deque[Event] = deque()
        self._streams: dict[str, deque[Event]] = {"orders": deque(), "inventory": deque()}
        self._bells = {name: Bell(clock) for name in ("outbox", "orders", "inventory")}
        self._used = dict.fromkeys(("APIs", "workers", "database", "engine"), 0.0)
        self._waits: list[float] = []

    def drain(self, orders: int) -> Seen:
        """Have workers take a backlog the whole way, and return how long that took."""
        self._outbox.extend([(_CREATED, 0.0)] * orders)
        self._start_workers()
        self.clock.run(3600)
        return self._seen(self.clock.now)

    def steady(self, rate: float, seconds: float) -> Seen:
        """Place so many orders a second, and return what was seen after the first tenth."""
        for _ in range(self._site.apis):
            self.clock.start(self._api(rate / self._site.apis, seconds))
        self._start_workers()
        self.clock.run(seconds)
        seen = self._seen(seconds)
        seen.waits_s = seen.waits_s[len(seen.waits_s) // 10 :]
        return seen

    def _seen(self, seconds: float) -> Seen:
        used = {name: spent / seconds for name, spent in self._used.items()}
        return Seen(seconds, self._waits, used)

    def _start_workers(self) -> None:
        for _ in range(self._site.workers):
            thread = Resource(self.clock)
            for loop in (self._relay(thread), self._inventory(thread), self._orders(thread)):
                self.clock.start(loop)

    def _api(self, rate: float, until_s: float) -> Process:
        thread, coming = Resource(self.clock), self._random.expovariate(rate)
        while coming < until_s:
            if coming > self.clock.now:
                yield Pass(coming - self.clock.now)
            batch: list[float] = []
            while coming <= self.clock.now:
                batch.append(coming)
                coming += self._random.expovariate(rate)
            yield from self._hop(INTAKE, thread, len(batch), by="APIs")
            self._record([(_CREATED, came) for came in batch])

    def _relay(self, thread: Resource) -> Process:
        while True:
            if not self._outbox:
                yield self._bells["outbox"]
            yield self._relay_lock
            page = _taken(self._outbox)
            if page:
                yield from self._hop(RELAY, thread, len(page))
                for event in page:
                    name = "inventory" if event[0] == _RESERVED else "orders"
                    self._streams[name].append(event)
                    self._bells[name].ring()
            self._relay_lock.give()

    def _inventory(self, thread: Resource) -> Process:
        while True:
            batch = yield from self._read("orders")
            created = [event for event in batch if event[0] == _CREATED]
            if len(created) < len(batch):
                passed = len(batch) - len(created)
                yield from self._hop(PASS_BY, thread, passed, commits=False)
            if created:
                yield from self._decide(thread, created)

    def _decide(self, thread: Resource, created: Sequence[Event]) -> Process:
        # Two batches that draw their SKUs at random share none with this probability.
        wanted = LINES * len(created)
        apart = math.exp(-wanted * wanted / self._site.skus)
        meets = self._random.random() >= apart
        if meets:
            yield self._levels
        yield from self._hop(DECIDE, thread, len(created))
        if meets:
            self._levels.give()
        self._record([(_RESERVED, came) for _, came in created])

    def _orders(self, thread: Resource) -> Process:
        while True:
            batch = yield from self._read("inventory")
            yield from self._hop(SETTLE, thread, len(batch))
            self._waits += [self.clock.now - came for _, came in batch]
            self._record([(_CONFIRMED, came) for _, came in batch])

    def _read(self, name: str) -> Generator[Wish, None, list[Event]]:
        while not (batch := _taken(self._streams[name])):
            yield self._bells[name]
        return batch

    def _record(self, events: Sequence[Event]) -> None:
        self._outbox.extend(events)
        self._bells["outbox"].ring()

    def _hop(
        self, name: str, thread: Resource, size: int, *, by: str = "workers", commits: bool = True
    ) -> Process:
        hop = self._costs.hops[name]
        turns = (
            (by, self._cores, hop.app.of(size)),
            ("database", self._database, hop.database.of(size)),
            ("engine", self._engine, hop.engine.of(size)),
        )
        for _ in range(_TURNS):
            for who, cores, seconds in turns:
                if who == by:
                    yield thread
                yield from cores.held(seconds / _TURNS)
                self._used[who] += seconds / _TURNS
                if who == by:
                    thread.give()
        yield Pass(TRIPS * self._site.trip_s + (self._costs.sync_s if commits else 0.0))


def _taken(waiting: deque[Event]) -> list[Event]:
    return [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
