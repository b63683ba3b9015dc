"""What the embedded engine's log costs when synced after every write, and once a second.

The same process does both, switched at run time and in turns, so that a noisy machine hits both
alike. See bench/README.md.
"""

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import anyio
import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.bus.embedded import running_engine_url
from app.bus.event import Envelope
from app.bus.stream import Stream
from app.modules.orders.events import OrderConfirmed
from bench.latency import Latency, latency
from bench.parts import cpu_s
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
        with Orderly(directory) as process:
            url = running_engine_url(directory / "var/stream")
            state = json.loads((directory / "var/stream/engine.json").read_text())
            if url is None:
                raise RuntimeError("no engine runs")
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
            cpu, began = cpu_s(pid), time.perf_counter()
            for _ in range(pages):
                await stream.append([("aof", envelope)] * size)
            took = time.perf_counter() - began
            found[f"events/s in pages of {size}"].append(size * pages / took)
            found[f"engine's µs of CPU per event in pages of {size}"].append(
                (cpu_s(pid) - cpu) * 1e6 / (size * pages)
            )
            await stream.run_script("return redis.call('DEL', KEYS[1])", "aof")
    finally:
        await stream.close()


def _orders(
    process: Orderly, pid: int, found: dict[str, list[float]], asked: argparse.Namespace
) -> None:
    cpu = cpu_s(pid)
    call = functools.partial(latency, process.url, rate=asked.rate, seconds=asked.seconds, lines=3)
    seen: Latency = anyio.run(call)
    # The warm-up is a second of the same load.
    orders = asked.rate * (asked.seconds + 1)
    found["engine's µs of CPU per order"].append((cpu_s(pid) - cpu) * 1e6 / orders)
    for name, times in (("POST", seen.posted), ("confirmed", seen.confirmed)):
        cuts: Any = statistics.quantiles(times, n=100)
        found[f"{name} p50, ms"].append(cuts[49])
        found[f"{name} p99, ms"].append(cuts[98])


def _show(found: dict[str, dict[str, list[float]]]) -> None:
    """Print the median of the runs, one row per figure and one column per policy."""
    print(f"{'median of runs':<48}" + "".join(f"{policy:>12}" for policy in POLICIES))
    for name in found[POLICIES[0]]:
        cells = (statistics.median(found[policy][name]) for policy in POLICIES)
        print(f"{name:<48}" + "".join(f"{cell:>12.1f}" for cell in cells))


if __name__ == "__main__":
    main()
