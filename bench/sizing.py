"""How much of everything a rate of orders takes, by formula; percentiles come from the model.

Three laws do it. Utilisation: what is busy is rate times service time (Denning and Buzen, "The
Operational Analysis of Queueing Network Models", Computing Surveys 10(3), 1978). Little's law:
what is under way is rate times time (J. D. C. Little, Operations Research 9(3), 1961). And a loop
that takes what waits has, on average, the batch that came during the one before: b = rate * S(b).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.costs import BATCH, DECIDE, EVENTS, INTAKE, PASS_BY, RELAY, Costs, Hop, Line
from bench.model import TRIPS, Site

UTILISATION = 0.7
"""How busy anything may be. Waiting grows with u / (1 - u) (Pollaczek and Khinchine, for M/G/1): at
70 % some 2.3 times what is served, at 90 % nine times."""

TRIP_S = 0.0003
"""A message and its answer between machines of one zone; on one machine it is none."""

SPARE = 2
"""Of processes there are as many at least, so that one may be replaced."""

API_BATCH = 64
"""What an API commits at once with some 130 connections busy."""

API, WORKER = "API process", "worker process, every loop"
RELAYS, DECIDES = "relay, one at a time", "inventory, one batch at a time"


@dataclass(frozen=True)
class Plan:
    """What a rate takes: of each thing how many, and how busy it is then."""

    rate: float
    shards: int
    apis: int
    workers: int
    uses: Mapping[str, float]
    """Of the most that each can do, the share that is asked of it."""
    database_cores: float
    engine_cores: float
    commits: float
    batches: Mapping[str, float]

    def site(self) -> Site:
        """Return one shard of it, which is all that the model has to run."""
        return Site(
            apis=max(1, round(self.apis / self.shards)),
            workers=max(1, round(self.workers / self.shards)),
            trip_s=TRIP_S,
        )


def ceilings(costs: Costs) -> dict[str, float]:
    """Return how many orders a second one of each can do when it does nothing else."""
    hops, full = costs.hops, BATCH
    worker = sum(n * hops[hop].app.of(full) / full for hop, n in EVENTS.items())
    return {
        API: API_BATCH / hops[INTAKE].app.of(API_BATCH),
        WORKER: 1 / worker,
        RELAYS: full / (EVENTS[RELAY] * seconds(costs, hops[RELAY], full)),
        DECIDES: full / seconds(costs, hops[DECIDE], full),
        "one SKU that all want": full / seconds(costs, costs.hot, full),
        "PostgreSQL, per core": 1 / (1e-6 * costs.pressed["database µs"]),
        "Redis, its one thread": 1 / (1e-6 * costs.pressed["engine µs"]),
    }


def seconds(costs: Costs, hop: Hop, size: float, trip_s: float = TRIP_S) -> float:
    """Return how long a batch takes from end to end where nothing else is in its way."""
    return hop.cpu_s(size) + costs.sync_s + TRIPS * trip_s


def natural(costs: Costs, hop: Hop, rate: float) -> float:
    """Return the batch that a loop settles at, b = rate * S(b), between one event and BATCH."""
    fixed = seconds(costs, hop, 0)
    each = seconds(costs, hop, 1) - fixed
    if rate * each >= 1:
        return BATCH
    return min(float(BATCH), max(1.0, rate * fixed / (1 - rate * each)))


def plan(costs: Costs, rate: float) -> Plan:
    """Return the least of everything that takes this rate with nothing above UTILISATION."""
    found = ceilings(costs)
    shards = math.ceil(rate / (UTILISATION * min(found[RELAYS], found[DECIDES])))
    of_shard = rate / shards
    apis = shards * max(SPARE, math.ceil(of_shard / (UTILISATION * found[API])))
    workers = max(SPARE, math.ceil(of_shard / (UTILISATION * found[WORKER])))
    batches = {hop: natural(costs, costs.hops[hop], of_shard * n) for hop, n in EVENTS.items()}
    batches[INTAKE] = natural(costs, costs.hops[INTAKE], rate / apis)
    passes = {**EVENTS, INTAKE: 1}
    return Plan(
        rate=rate,
        shards=shards,
        apis=apis,
        workers=shards * workers,
        uses={
            API: rate / apis / found[API],
            WORKER: of_shard / workers / found[WORKER],
            RELAYS: of_shard / found[RELAYS],
            DECIDES: of_shard / found[DECIDES],
        },
        database_cores=_cores(costs, rate, batches, "database"),
        engine_cores=_cores(costs, rate, batches, "engine"),
        commits=sum(rate * n / batches[hop] for hop, n in passes.items() if hop != PASS_BY),
        batches=batches,
    )


def _cores(costs: Costs, rate: float, batches: Mapping[str, float], where: str) -> float:
    """Return how many cores are busy with every hop at its natural batch."""
    total = 0.0
    for hop, times in {**EVENTS, INTAKE: 1}.items():
        line: Line = getattr(costs.hops[hop], where)
        total += rate * times * line.of(batches[hop]) / batches[hop]
    return total
