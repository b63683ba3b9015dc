"""What the embedded engine's log costs when synced after every write, and once a second.

The same process does both, switched at run time and in turns, so that a noisy machine hits both
alike. See bench/README.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import anyio
import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.bus.embedded import running_engine_url
from app.bus.event import Envelope
from app.bus.stream import Stream
from app.db import sqlite
from app.modules.orders.events import OrderConfirmed
from bench.cpu import process_s
from bench.orders import SKUS
from bench.servers import offer, receive
from tests.starter import ROOT
from tests.system.orderly import Orderly

POLICIES = ("always", "everysec")
PAGES = {1: 500, 20: 200, 500: 40}
"""How many appends are measured of each page size."""


def main() -> None:
    """Measure what the command line asks for, and print it."""
    asked = _arguments()
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in POLICIES}
    began = time.monotonic()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, log in {asked.directory}")
    with tempfile.TemporaryDirectory(prefix="orderly-aof-", dir=asked.directory) as name:
        directory = Path(name)
        with Orderly(directory, fresh=True) as process:
            url = running_engine_url(directory / "var/stream")
            state = json.loads((directory / "var/stream/engine.json").read_text())
            if url is None:
                raise RuntimeError("no engine runs")
            anyio.run(receive, process.url, SKUS)
            anyio.run(offer, sqlite(directory / "var/orderly.db"), SKUS)
            with redis.Redis.from_url(url, decode_responses=True) as engine:
                for _ in range(asked.runs):
                    for policy in POLICIES:
                        engine.config_set("appendfsync", policy)
                        anyio.run(_appends, url, state["pid"], found[policy])
                        _orders(process, state["pid"], found[policy], asked)
            process.terminate()
    _show(found)
    print(f"\ntook {time.monotonic() - began:.0f} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=50, help="orders per second (50)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of orders per run (5)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each policy (3)")
    parser.add_argument("--directory", default=".", help="where the log lies: on a real disk (.)")
    return parser.parse_args()


async def _appends(url: str, pid: int, found: dict[str, list[float]]) -> None:
    """Append as the relay does, one page after the other."""
    stream = Stream(url, prefix="bench")
    envelope = Envelope.seal(OrderConfirmed(order_id="ord_1")).to_json()
    try:
        for size, pages in PAGES.items():
            cpu, began = process_s(pid), time.perf_counter()
            for _ in range(pages):
                await stream.append([("aof", envelope)] * size)
            took = time.perf_counter() - began
            found[f"events/s in pages of {size}"].append(size * pages / took)
            found[f"engine's µs of CPU per event in pages of {size}"].append(
                (process_s(pid) - cpu) * 1e6 / (size * pages)
            )
            await stream.run_script("return redis.call('DEL', KEYS[1])", "aof")
    finally:
        await stream.close()


def _orders(
    process: Orderly, pid: int, found: dict[str, list[float]], asked: argparse.Namespace
) -> None:
    cpu = process_s(pid)
    file = process.directory / "var/orderly.db"
    command = [sys.executable, "-m", "bench.open_loop", f"{process.url}/v1/orders"]
    command += ["--rate", str(asked.rate), "--seconds", str(asked.seconds), "--database", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    orders = asked.rate * asked.seconds
    found["engine's µs of CPU per order"].append((process_s(pid) - cpu) * 1e6 / orders)
    for name, times in (("POST", seen["posted"]), ("confirmed", seen["confirmed"])):
        found[f"{name} p50, ms"].append(times[0])
        found[f"{name} p99, ms"].append(times[1])


def _show(found: dict[str, dict[str, list[float]]]) -> None:
    """Print the median of the runs, one row per figure and one column per policy."""
    print(f"{'median of runs':<48}" + "".join(f"{policy:>12}" for policy in POLICIES))
    for name in found[POLICIES[0]]:
        cells = (statistics.median(found[policy][name]) for policy in POLICIES)
        print(f"{name:<48}" + "".join(f"{cell:>12.1f}" for cell in cells))


if __name__ == "__main__":
    main()
