"""Intake: POST of an order of two lines, answered when it is durable."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import no_io
from bench.case import Case, Effort
from bench.cpu import process_s
from bench.figure import Figure, Meter
from bench.orders import SKUS
from bench.peers.process import Peer
from bench.servers import Servers
from tests.starter import ROOT
from tests.system.orderly import Orderly

CONNECTIONS = (32, 128)
ORDERS = "/v1/orders"


class NoIo(Orderly):
    """Our own process with the no-I/O route."""

    module = "bench.no_io"


class NoLoops(Orderly):
    """Our own process without its loops."""

    module = "bench.no_loops"


@dataclass(frozen=True)
class Target:
    """Where to post to, which process answers, and on which database."""

    url: str
    pid: int
    database: str = ""


Opened = Callable[[Servers], Any]
"""Opens a context that yields a Target."""


def load(  # noqa: PLR0913 - what a load is made of
    url: str,
    *,
    connections: int,
    seconds: float,
    keyed: bool = False,
    skus: int = SKUS,
    refused_too: bool = False,
) -> dict[str, Any]:
    """Run the client to its end and return what it saw.

    Raises RuntimeError on any answer but 201, and 503 where orders may be refused too.
    """
    command = [sys.executable, "-m", "bench.client", url, "--connections", str(connections)]
    command += ["--seconds", str(seconds), "--skus", str(skus), *(["--keyed"] if keyed else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the client failed:\n{done.stderr[-2000:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    if not set(seen["statuses"]) <= ({"201", "503"} if refused_too else {"201"}):
        raise RuntimeError(f"{url} answered {seen['statuses']}")
    return seen


def measure(
    servers: Servers, target: Target, *, connections: int, seconds: float, keyed: bool = False
) -> Figure:
    """Load a target and return its figure."""
    meter = Meter(servers, partial(process_s, target.pid))
    seen = load(target.url, connections=connections, seconds=seconds, keyed=keyed)
    figure = meter.figure(int(seen["statuses"]["201"]))
    figure.wall_s = float(seen["seconds"])
    figure.client_s = float(seen["cpu_s"])
    figure.p50_ms, figure.p99_ms = float(seen["p50_ms"]), float(seen["p99_ms"])
    return figure


def _run(
    opened: Opened, servers: Servers, effort: Effort, *, keyed: bool = False
) -> Mapping[str, Figure]:
    figures = {}
    with opened(servers) as target:
        # The first statements of each kind compile, and connections are made.
        load(target.url, connections=32, seconds=effort.seconds(1.5), keyed=keyed)
        for connections in CONNECTIONS:
            figures[f"c{connections}"] = measure(
                servers,
                target,
                connections=connections,
                seconds=effort.seconds(3 if connections == CONNECTIONS[0] else 2),
                keyed=keyed,
            )
    return figures


@contextmanager
def ours(
    servers: Servers,
    kind: type[Orderly] = Orderly,
    *,
    path: str = ORDERS,
    skus: int = SKUS,
    keep: bool = False,
) -> Iterator[Target]:
    """Serve an api on PostgreSQL, with a database of its own; keep leaves that to the caller."""
    database = servers.shop(skus)
    try:
        with kind(
            servers.folder(), servers.environment(database, role="api"), fresh=True
        ) as process:
            yield Target(process.url + path, process.pid, database)
            process.terminate()
    finally:
        if not keep:
            servers.drop(database)


@contextmanager
def _ours_embedded(servers: Servers) -> Iterator[Target]:
    with NoLoops(servers.shop_folder(SKUS), fresh=True) as process:
        yield Target(process.url + ORDERS, process.pid)
        process.terminate()


@contextmanager
def _peer(servers: Servers, name: str) -> Iterator[Target]:
    with Peer(servers, "bench.peers.intake", name) as peer:
        yield Target(peer.url, peer.pid)


def cases() -> list[Case]:
    """Return intake's cases, the floor first."""

    def case(name: str, opened: Opened, *, is_ours: bool = False, keyed: bool = False) -> Case:
        run = partial(_run, opened, keyed=keyed)
        return Case(group="intake", name=name, unit="order", run=run, ours=is_ours)

    return [
        case("no-I/O endpoint, our middleware", partial(ours, kind=NoIo, path=no_io.PATH)),
        case("ours, PostgreSQL", ours, is_ours=True),
        case("ours, PostgreSQL, Idempotency-Key", ours, is_ours=True, keyed=True),
        case("ours, SQLite", _ours_embedded, is_ours=True),
        case("asyncpg, one CTE per request", partial(_peer, name="cte")),
        case("SQLAlchemy ORM outbox", partial(_peer, name="orm")),
        case("tutorial: ORM, then XADD", partial(_peer, name="dual")),
        case("SQLAlchemy ORM outbox, SQLite", partial(_peer, name="sqlite")),
    ]
