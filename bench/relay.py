"""The relay: from the outbox to the stream."""

from collections.abc import Mapping
from functools import partial

from bench import feed
from bench.case import Case, Effort
from bench.figure import Figure
from bench.intake import ours
from bench.peers import tables
from bench.servers import Servers
from bench.steps import run_steps


def _ours(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    orders = effort.count(10_000, 500)
    with ours(servers, keep=True) as target:
        feed.place(target.url, orders)
    environment = {"BENCH_DATABASE": target.database, "BENCH_STREAM": servers.stream_url}
    try:
        steps = run_steps(servers, "bench.parts", str(orders), "relay", environment=environment)
    finally:
        servers.drop(target.database)
    return {"": steps["relay order_created"]}


def _peer(servers: Servers, effort: Effort, *, kind: str, events: int) -> Mapping[str, Figure]:
    database = servers.empty_database()
    tables.create(database, skus=1)
    environment = {"BENCH_DATABASE": database, "BENCH_STREAM": servers.stream_url}
    count = str(effort.count(events, 500))
    try:
        steps = run_steps(servers, "bench.peers.relays", kind, count, environment=environment)
    finally:
        servers.drop(database)
    return {"": steps[kind]}


def cases() -> list[Case]:
    """Return the relay's cases."""

    def case(name: str, kind: str, events: int) -> Case:
        run = partial(_peer, kind=kind, events=events)
        return Case(group="relay", name=name, unit="event", run=run)

    return [
        Case(group="relay", name="ours, PostgreSQL", unit="event", run=_ours, ours=True),
        case("redis-py pipelines of 500, no database", "loop", 20_000),
        case("ORM, row by row", "rows", 1_500),
        case("ORM, pages of 100", "pages", 6_000),
    ]
