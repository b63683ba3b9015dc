"""The pipeline: events that wait, and what it costs to handle each."""

import time
from collections.abc import Mapping
from functools import partial
from typing import LiteralString

import psycopg

from bench import feed
from bench.case import Case, Effort
from bench.cpu import freeze, process_s, thaw
from bench.figure import Figure, Meter
from bench.intake import NoLoops, Target, ours
from bench.orders import LINES, SKUS
from bench.peers.process import Peer
from bench.peers.tables import plain
from bench.servers import Servers
from bench.steps import run_steps
from tests.system.orderly import Orderly

WARM_UP = 300
_PEER_WARM_UP = 50
_PATIENCE_S = 180


def parts(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Run each loop of ours alone, on PostgreSQL."""
    orders = effort.count(5000, 300)
    with ours(servers, keep=True) as target:
        feed.place(target.url, orders)
    environment = {"BENCH_DATABASE": target.database, "BENCH_STREAM": servers.stream_url}
    try:
        return run_steps(servers, "bench.parts", str(orders), environment=environment)
    finally:
        servers.drop(target.database)


def embedded_parts(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Run each loop of ours alone, on SQLite."""
    orders = effort.count(5000, 300)
    folder = servers.shop_folder(SKUS)
    with NoLoops(folder, fresh=True) as process:
        feed.place(process.url, orders)
        process.terminate()
    environment = {"BENCH_DATABASE": "", "BENCH_STREAM": servers.stream_url}
    return run_steps(servers, "bench.parts", str(orders), environment=environment, folder=folder)


def whole_way(
    servers: Servers, effort: Effort, *, workers: int = 1, orders: int = 5000, skus: int = SKUS
) -> Mapping[str, Figure]:
    """Start real workers, lay orders out while they are frozen, and let them go.

    Until nothing is left: every order confirmed, every event published and acknowledged.
    """
    count = effort.count(orders, 200)
    with ours(servers, skus=skus) as target:
        environment = servers.environment(target.database, role="worker")
        running = [Orderly(servers.folder(), environment, fresh=True) for _ in range(workers)]
        try:
            for worker in running:
                worker.start()
            feed.place(target.url, WARM_UP, skus=skus)
            wait_until_done(servers, target)
            for worker in running:
                freeze(worker.pid)
            feed.place(target.url, count, skus=skus)
            meter = Meter(servers, partial(_sum, [worker.pid for worker in running]))
            for worker in running:
                thaw(worker.pid)
            wait_until_done(servers, target)
            return {"": meter.figure(count)}
        finally:
            for worker in running:
                worker.__exit__(None, None, None)


def floor(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Read and acknowledge, without a handler."""
    environment = {"BENCH_STREAM": servers.stream_url}
    count = str(effort.count(20_000, 500))
    return run_steps(servers, "bench.peers.floor", count, environment=environment)


def peer(
    servers: Servers, effort: Effort, *, module: str, kind: str, events: int
) -> Mapping[str, Figure]:
    """Start a peer's worker, lay events out while it is frozen, and let it go."""
    count = effort.count(events, 60)
    module = f"bench.peers.{module}"
    with Peer(servers, module, "work", kind) as worker:
        worker.feed(module, kind, str(_PEER_WARM_UP))
        _wait_for_rows(worker.database, LINES * _PEER_WARM_UP)
        # Not for long: clients whose server does not answer in time begin to back off.
        worker.feed(module, kind, str(count), before=partial(freeze, worker.pid))
        meter = Meter(servers, worker.cpu_s)
        thaw(worker.pid)
        _wait_for_rows(worker.database, LINES * (_PEER_WARM_UP + count))
        return {"": meter.figure(count)}


def _wait_for_rows(database: str, reservations: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    with psycopg.connect(plain(database), autocommit=True) as connection:
        while True:
            [[found]] = connection.execute("SELECT count(*) FROM reservations").fetchall()
            if found >= reservations:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{found} of {reservations} rows after {_PATIENCE_S} s")
            time.sleep(0.05)


def _sum(pids: list[int]) -> float:
    return sum(map(process_s, pids))


def wait_until_done(servers: Servers, target: Target, patience_s: float = _PATIENCE_S) -> None:
    """Wait until all orders are confirmed and all events are published and acknowledged."""
    deadline = time.monotonic() + patience_s
    with psycopg.connect(plain(target.database), autocommit=True) as connection:
        while (
            _any(connection, "SELECT 1 FROM orders WHERE status = 'pending' LIMIT 1")
            or _any(connection, "SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 1")
            or not servers.all_acknowledged()
        ):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not done after {patience_s} s")
            time.sleep(0.05)


def _any(connection: "psycopg.Connection[tuple[int, ...]]", sql: LiteralString) -> bool:
    return connection.execute(sql).fetchone() is not None


def cases() -> list[Case]:
    """Return the pipeline's cases."""

    def case(name: str, module: str, kind: str, events: int) -> Case:
        run = partial(peer, module=module, kind=kind, events=events)
        return Case(group="pipeline", name=name, unit="order", run=run)

    return [
        Case(group="our parts", name="PostgreSQL", unit="event", run=parts, ours=True),
        Case(group="our parts", name="SQLite", unit="event", run=embedded_parts, ours=True),
        Case(group="pipeline", name="ours, whole way", unit="order", run=whole_way, ours=True),
        Case(group="pipeline", name="redis-py, no handler", unit="order", run=floor),
        case("FastStream, batch of 500, Core", "faststream", "batch", 6000),
        case("FastStream, ORM per message", "faststream", "one", 600),
        case("FastStream, ORM, 16 workers", "faststream", "many", 800),
        case("taskiq-redis, ORM, 100 tasks", "taskiq", "-", 800),
        case("celery, prefork, sync ORM", "celery", "-", 800),
        case("DBOS queue, sync ORM", "dbos", "-", 400),
    ]
