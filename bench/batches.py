"""What a batch costs by its size, hop by hop: a fixed part, and a part per event.

From these the simulation knows what a batch of any size takes; see `bench.costs`.
"""

from collections.abc import Mapping
from functools import partial

from bench import feed
from bench.case import Case, Effort
from bench.figure import Figure
from bench.intake import load, measure, ours
from bench.orders import SKUS
from bench.scale_out import counted_by
from bench.servers import Servers
from bench.steps import run_steps

# The large ones first, and the first twice: it compiles the statements. Later ones are shorter, so
# that none of them takes longer than a second or two.
SIZES = ((500, 500), (500, 6000), (200, 4000), (50, 1500), (10, 600), (1, 150))
QUICK = ((50, 50), (50, 200), (5, 50), (1, 10))

CONNECTIONS = (1, 8, 32, 128)

_ITEMS = "orderly_group_commit_batch_items_sum"
_COMMITS = "orderly_group_commit_batch_items_count"


def _hops(servers: Servers, effort: Effort, *, skus: int) -> Mapping[str, Figure]:
    sizes = QUICK if effort.quick else SIZES
    with ours(servers, skus=skus, keep=True) as target:
        feed.place(target.url, sum(count for _, count in sizes), skus=skus)
    environment = {"BENCH_DATABASE": target.database, "BENCH_STREAM": servers.stream_url}
    words = [f"{size}:{count}" for size, count in sizes]
    words += ["--hot"] if skus == 1 else []
    try:
        figures = run_steps(servers, "bench.batch_steps", *words, environment=environment)
    finally:
        servers.drop(target.database)
    return {
        name: figure
        for name, figure in figures.items()
        if skus > 1 or name.startswith("inventory decides")
    }


def _intake(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Press one API from more and more connections: its batches are what waits meanwhile."""
    figures = {}
    with ours(servers) as target:
        load(target.url, connections=32, seconds=effort.seconds(1.5))
        for connections in CONNECTIONS:
            before = counted_by(target.url)
            figure = measure(servers, target, connections=connections, seconds=effort.seconds(2))
            after = counted_by(target.url)
            commits = after[_COMMITS] - before.get(_COMMITS, 0.0)
            figure.more["in a batch"] = (after[_ITEMS] - before.get(_ITEMS, 0.0)) / commits
            figures[f"intake, c{connections}"] = figure
    return figures


def cases() -> list[Case]:
    """Return the hops, and the one over a single SKU."""

    def case(name: str, skus: int) -> Case:
        run = partial(_hops, skus=skus)
        return Case(group="batch sizes", name=name, unit="event", run=run, ours=True, once=True)

    return [
        Case(group="batch sizes", name="API", unit="event", run=_intake, ours=True, once=True),
        case(f"{SKUS:,} SKUs", SKUS),
        case("one SKU", 1),
    ]
