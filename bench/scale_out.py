"""Scaling out: two APIs and 1, 2 or 4 workers, real processes on one PostgreSQL and one engine."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from bench import feed
from bench.case import Case, Effort
from bench.counters import Counters
from bench.cpu import freeze, machine_s, own_s, process_s, thaw
from bench.figure import Figure, Meter
from bench.intake import ORDERS, Target, load
from bench.orders import SKUS
from bench.peers.tables import plain
from bench.pipeline import WARM_UP, wait_until_done
from bench.servers import Servers
from tests.starter import ROOT
from tests.system.orderly import Orderly

APIS = 2
WORKERS = (1, 2, 4)
RATE = 200
"""Orders a second at which latency is measured; each API takes its share."""

_CONNECTIONS = 16
_HANDLED = "orderly_handler_attempts_total"
_BATCHES = "orderly_handler_duration_seconds_count"
_PAGES = "orderly_relay_page_events_count"
_RELAYED = "orderly_relay_page_events_sum"
_COUNTED = (_HANDLED, _BATCHES, _PAGES, _RELAYED)


@dataclass(frozen=True)
class Fleet:
    """The processes of a case, and the database they share."""

    apis: list[Orderly]
    workers: list[Orderly]
    database: str

    @property
    def target(self) -> Target:
        """The first API, as other cases know one."""
        return Target(self.apis[0].url + ORDERS, self.apis[0].pid, self.database)

    def api_s(self) -> float:
        """CPU seconds of the APIs so far."""
        return sum(process_s(each.pid) for each in self.apis)

    def worker_s(self) -> float:
        """CPU seconds of the workers so far."""
        return sum(process_s(each.pid) for each in self.workers)


@contextmanager
def started(servers: Servers, *, workers: int) -> Iterator[Fleet]:
    """Start a fleet on a database of its own, warm, with nothing left to do."""
    database = servers.shop(SKUS)
    try:
        with ExitStack() as stack:

            def start(role: str) -> Orderly:
                environment = servers.environment(database, role=role)
                process = Orderly(servers.folder(), environment, fresh=True)
                stack.push(process)
                process.start()
                return process

            apis = [start("api") for _ in range(APIS)]
            fleet = Fleet(apis, [start("worker") for _ in range(workers)], database)
            for api in fleet.apis:
                feed.place(api.url, WARM_UP)
            wait_until_done(servers, fleet.target)
            yield fleet
            for process in (*fleet.apis, *fleet.workers):
                process.terminate()
    finally:
        servers.drop(database)


Scrape = Mapping[str, float]
"""Counters of a process by name, those of one name added up."""


class Watch:
    """Reads a fleet's clocks and counters before and after work.

    scraped is what the workers counted before it: frozen ones answer no scrape.
    """

    def __init__(self, servers: Servers, fleet: Fleet, scraped: Sequence[Scrape]) -> None:
        self._fleet = fleet
        self._scraped = scraped
        self._api_s, self._worker_s = fleet.api_s(), fleet.worker_s()
        self._counters = Counters(servers, fleet.database)
        self._machine_s, self._own_s = machine_s(), own_s()
        self._meter = Meter(servers, lambda: fleet.api_s() + fleet.worker_s())

    def figure(self, orders: int) -> Figure:
        """Return what so many orders took since, and how the workers shared them."""
        figure = self._meter.figure(orders)
        ours_s = sum(each or 0.0 for each in (figure.app_s, figure.database_s, figure.engine_s))
        ours_s += own_s() - self._own_s
        others_s = machine_s() - self._machine_s - ours_s
        more = {
            "API µs": 1e6 * (self._fleet.api_s() - self._api_s) / orders,
            "worker µs": 1e6 * (self._fleet.worker_s() - self._worker_s) / orders,
        }
        counted = self._counters.since(orders)
        found = [
            {name: after.get(name, 0.0) - before.get(name, 0.0) for name in _COUNTED}
            for before, after in zip(self._scraped, scraped(self._fleet.workers), strict=True)
        ]
        handled = [each[_HANDLED] for each in found]
        total = {name: sum(each[name] for each in found) for name in _COUNTED}
        figure.more = more | {
            "least of most %": 100 * min(handled) / max(1.0, *handled),
            "in a batch": total[_HANDLED] / max(1.0, total[_BATCHES]),
            "others' cores": max(0.0, others_s / figure.wall_s),
            "in a page": total[_RELAYED] / max(1.0, total[_PAGES]),
            **counted,
        }
        return figure


def scraped(processes: Sequence[Orderly]) -> list[Scrape]:
    """Return what each process has counted so far."""
    return [counted_by(process.url) for process in processes]


def counted_by(url: str) -> Scrape:
    """Return what the process of this URL, whatever its path, has counted so far."""
    parts = urlsplit(url)
    url = f"{parts.scheme}://{parts.netloc}"
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as reply:  # noqa: S310 - one of ours
        text = reply.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def _run(servers: Servers, effort: Effort, *, workers: int) -> Mapping[str, Figure]:
    with started(servers, workers=workers) as fleet:
        return {
            "backlog": _backlog(servers, fleet, effort.count(6000, 200)),
            "pressed": _pressed(servers, fleet, effort.seconds(3)),
            f"{RATE}/s": _steady(servers, fleet, effort.seconds(5)),
        }


def _backlog(servers: Servers, fleet: Fleet, orders: int) -> Figure:
    """Lay orders out while the workers are frozen, and let them go until nothing is left."""
    before = scraped(fleet.workers)
    for worker in fleet.workers:
        freeze(worker.pid)
    feed.place(fleet.apis[0].url, orders)
    watch = Watch(servers, fleet, before)
    for worker in fleet.workers:
        thaw(worker.pid)
    wait_until_done(servers, fleet.target)
    return watch.figure(orders)


def _pressed(servers: Servers, fleet: Fleet, seconds: float) -> Figure:
    """Keep the APIs busy, then wait until all they took is confirmed."""
    watch = Watch(servers, fleet, scraped(fleet.workers))

    def press(api: Orderly) -> dict[str, Any]:
        url = api.url + ORDERS
        return load(url, connections=_CONNECTIONS, seconds=seconds, refused_too=True)

    with ThreadPoolExecutor(APIS) as pool:
        seen = list(pool.map(press, fleet.apis))
    accepted = sum(each["statuses"].get("201", 0) for each in seen)
    wait_until_done(servers, fleet.target)
    figure = watch.figure(accepted)
    figure.client_s = sum(each["cpu_s"] for each in seen)
    figure.more["accepted per s"] = sum(
        each["statuses"].get("201", 0) / each["seconds"] for each in seen
    )
    return figure


def _steady(servers: Servers, fleet: Fleet, seconds: float) -> Figure:
    """Place orders at a rate, and see when each was confirmed."""
    # The first statements at this batch size compile.
    _at_rate(fleet, min(1.0, seconds))
    watch = Watch(servers, fleet, scraped(fleet.workers))
    seen = _at_rate(fleet, seconds)
    figure = watch.figure(sum(each["orders"] for each in seen))
    figure.wall_s = seconds
    # Each half is seen by its own client: means of medians, and the worse of the tails.
    figure.p50_ms = fmean(each["confirmed"][0] for each in seen)
    figure.p99_ms = max(each["confirmed"][1] for each in seen)
    figure.more["POST p50 ms"] = fmean(each["posted"][0] for each in seen)
    figure.more["POST p99 ms"] = max(each["posted"][1] for each in seen)
    return figure


def _at_rate(fleet: Fleet, seconds: float) -> list[dict[str, Any]]:
    """Have a client per API place its share, and return what each saw."""
    words = ["--rate", str(RATE / APIS), "--seconds", str(seconds)]
    words += ["--database", plain(fleet.database)]

    def place(api: Orderly) -> dict[str, Any]:
        command = [sys.executable, "-m", "bench.open_loop", api.url + ORDERS, *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the client failed:\n{done.stderr[-2000:]}")
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen

    with ThreadPoolExecutor(APIS) as pool:
        return list(pool.map(place, fleet.apis))


def cases() -> list[Case]:
    """Return the cases of several processes."""
    return [
        Case(
            group="scale-out",
            name=f"{APIS} APIs, {workers} {'worker' if workers == 1 else 'workers'}",
            unit="order",
            run=partial(_run, workers=workers),
            ours=True,
            once=True,
        )
        for workers in WORKERS
    ]
