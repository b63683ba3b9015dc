"""From POST to confirmed in one process, and what one process takes when it is pressed."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench import feed
from bench.case import Case, Effort
from bench.cpu import memory_mb, process_s
from bench.figure import Figure, Meter
from bench.intake import ORDERS, load, ours
from bench.orders import SKUS
from bench.peers.tables import plain
from bench.pipeline import wait_until_done
from bench.servers import Servers
from tests.starter import ROOT
from tests.system.orderly import Orderly

RATES = (50, 300)
SHARE = 0.8
_PATIENCE_S = 60


@dataclass(frozen=True)
class Everything:
    """A process with all roles, and where an observer finds its orders."""

    process: Orderly
    database: str


@contextmanager
def _on_servers(servers: Servers) -> Iterator[Everything]:
    database = servers.shop(SKUS)
    try:
        with Orderly(
            servers.folder(), servers.environment(database, role="all"), fresh=True
        ) as process:
            yield Everything(process, plain(database))
            process.terminate()
    finally:
        servers.drop(database)


@contextmanager
def _embedded(servers: Servers) -> Iterator[Everything]:
    folder = servers.shop_folder(SKUS)
    with Orderly(folder, fresh=True) as process:
        yield Everything(process, str(folder / "var/orderly.db"))
        process.terminate()


OPENED = {"PostgreSQL and Valkey": _on_servers, "embedded": _embedded}


def _latency(servers: Servers, effort: Effort, *, where: str) -> Mapping[str, Figure]:
    figures = {}
    with OPENED[where](servers) as found:
        for steady in RATES:
            figures[f"{steady}/s"] = _at(servers, found, steady, effort.seconds(6))
        pressed = _press(servers, found, effort.seconds(6))
        rate = SHARE * pressed.more["confirmed per s"]
        figures[f"{SHARE:.0%} of saturation"] = _at(servers, found, rate, effort.seconds(6))
    return figures


def _at(servers: Servers, found: Everything, rate: float, seconds: float) -> Figure:
    # The first statements of each kind compile, and connections are made.
    open_loop(found, rate, min(seconds, 2))
    meter = Meter(servers, partial(process_s, found.process.pid))
    seen = open_loop(found, rate, seconds)
    figure = meter.figure(seen["orders"])
    figure.wall_s = seconds
    figure.p50_ms, figure.p99_ms = seen["confirmed"]
    figure.more = {"POST p50 ms": seen["posted"][0], "POST p99 ms": seen["posted"][1]}
    if seen["refused"]:
        figure.more["refused %"] = 100 * seen["refused"] / (seen["refused"] + seen["orders"])
    return figure


def open_loop(found: Everything, rate: float, seconds: float) -> dict[str, Any]:
    """Place orders at a rate, wait until they are confirmed, and return what the client saw."""
    command = [sys.executable, "-m", "bench.open_loop", found.process.url + ORDERS]
    command += ["--rate", str(rate), "--seconds", str(seconds), "--database", found.database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the client failed:\n{done.stderr[-2000:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _press(servers: Servers, found: Everything, seconds: float) -> Figure:
    """Keep 32 connections busy, and compare what is accepted with what is confirmed meanwhile."""
    url = found.process.url + ORDERS
    load(url, connections=32, seconds=min(seconds, 2), refused_too=True)
    # What is left of the warm-up must not be confirmed on the clock.
    deadline = time.monotonic() + _PATIENCE_S
    while _count(found, "pending"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"orders are still pending after {_PATIENCE_S} s")
        time.sleep(0.05)
    before = _count(found, "confirmed")
    meter = Meter(servers, partial(process_s, found.process.pid))
    seen = load(url, connections=32, seconds=seconds, refused_too=True)
    confirmed = _count(found, "confirmed") - before
    accepted = seen["statuses"].get("201", 0)
    figure = meter.figure(accepted)
    figure.wall_s = seen["seconds"]
    figure.p50_ms, figure.p99_ms = seen["p50_ms"], seen["p99_ms"]
    figure.more = {
        "confirmed per s": confirmed / figure.wall_s,
        "confirmed %": 100 * confirmed / max(1, accepted),
        "503 per s": seen["statuses"].get("503", 0) / figure.wall_s,
        "loaded MB": memory_mb(found.process.pid),
    }
    return figure


def _count(found: Everything, status: str) -> int:
    if "://" in found.database:
        with psycopg.connect(found.database) as connection:
            sql = "SELECT count(*) FROM orders WHERE status = %s"
            [[count]] = connection.execute(sql, (status,)).fetchall()
    else:
        uri = f"file:{Path(found.database)}?mode=ro"
        with sqlite3.connect(uri, uri=True) as file:
            sql = "SELECT count(*) FROM orders WHERE status = ?"
            [[count]] = file.execute(sql, (status,)).fetchall()
    return int(count)


def _fairness(servers: Servers, effort: Effort, *, where: str) -> Mapping[str, Figure]:
    with OPENED[where](servers) as found:
        return {"": _press(servers, found, 2.0 if effort.quick else 60.0)}


def _catch_up(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    """Start a worker on a backlog that was taken while none ran, until nothing is left."""
    orders = effort.count(100_000, 500)
    with ours(servers) as target:
        feed.place(target.url, orders)
        environment = servers.environment(target.database, role="worker")
        began = time.perf_counter()
        with Orderly(servers.folder(), environment, fresh=True) as worker:
            meter = Meter(servers, partial(process_s, worker.pid))
            wait_until_done(servers, target, patience_s=600)
            figure = meter.figure(orders)
            figure.more = {
                "from start s": time.perf_counter() - began,
                "loaded MB": memory_mb(worker.pid),
            }
            worker.terminate()
    return {"": figure}


def cases() -> list[Case]:
    """Return the cases of one whole process."""
    waits = [
        Case(
            group="latency",
            name=f"POST to confirmed, {where}",
            unit="order",
            run=partial(_latency, where=where),
            ours=True,
        )
        for where in OPENED
    ]
    fair = [
        Case(
            group="fairness",
            name=f"32 clients, {where}",
            unit="order",
            run=partial(_fairness, where=where),
            ours=True,
            once=True,
        )
        for where in OPENED
    ]
    backlog = Case(
        group="catch-up",
        name="100,000 orders, one worker",
        unit="order",
        run=_catch_up,
        ours=True,
        once=True,
    )
    return [*waits, *fair, backlog]
