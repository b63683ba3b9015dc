"""How cost grows: with history, with the number of SKUs, with workers, and on one hot SKU."""

from collections.abc import Mapping
from functools import partial

from bench import feed
from bench.case import Case, Effort
from bench.figure import Figure
from bench.history import PAGE
from bench.intake import ours
from bench.peers import tables
from bench.pipeline import whole_way
from bench.servers import Servers
from bench.steps import run_steps

# The first is one stretch of the log, which reconcile looks at whatever is below it.
RETAINED = (5_000, 100_000, 1_000_000)
CLIENTS = 32


def _history(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    with ours(servers, keep=True) as target:
        feed.place(target.url, PAGE)
    sizes = [str(effort.count(size, size // 20)) for size in RETAINED]
    environment = {"BENCH_DATABASE": target.database, "BENCH_STREAM": servers.stream_url}
    try:
        figures = run_steps(servers, "bench.history", *sizes, environment=environment)
    finally:
        servers.drop(target.database)
    for figure in figures.values():
        figure.more["ms"] = figure.wall_s * 1000 / figure.units
    return figures


def _hot_ours(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Let inventory decide about orders that all want one SKU."""
    orders = effort.count(5000, 300)
    with ours(servers, skus=1, keep=True) as target:
        feed.place(target.url, orders, skus=1)
    environment = {"BENCH_DATABASE": target.database, "BENCH_STREAM": servers.stream_url}
    try:
        steps = run_steps(servers, "bench.parts", str(orders), environment=environment)
    finally:
        servers.drop(target.database)
    return {"": steps["inventory decides"]}


def _hot_peer(servers: Servers, effort: Effort, *, kind: str) -> Mapping[str, Figure]:
    database = servers.empty_database()
    tables.create(database, skus=1)
    environment = {"BENCH_DATABASE": database, "BENCH_STREAM": servers.stream_url}
    words = (kind, str(effort.seconds(3)), str(CLIENTS))
    try:
        return {"": run_steps(servers, "bench.peers.hot", *words, environment=environment)[kind]}
    finally:
        servers.drop(database)


def cases() -> list[Case]:
    """Return growth's cases."""

    def sized(name: str, *, skus: int = 1000, workers: int = 1) -> Case:
        run = partial(whole_way, skus=skus, workers=workers, orders=3000)
        return Case(group="growth", name=name, unit="order", run=run, ours=True, once=True)

    def hot(name: str, kind: str) -> Case:
        run = partial(_hot_peer, kind=kind)
        return Case(group="hot SKU", name=name, unit="reservation", run=run)

    return [
        Case(group="history", name="ours", unit="look", run=_history, ours=True, once=True),
        Case(group="hot SKU", name="ours, batches", unit="reservation", run=_hot_ours, ours=True),
        hot(f"asyncpg, one CTE each, {CLIENTS} clients", "cte"),
        hot(f"ORM, one transaction each, {CLIENTS} clients", "orm"),
        *(sized(f"SKUs: {skus:,}", skus=skus) for skus in (1, 100, 10_000)),
        *(sized(f"workers: {workers}", workers=workers) for workers in (1, 2, 4)),
    ]
