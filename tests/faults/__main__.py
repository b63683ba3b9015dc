"""`python -m tests.faults --minutes N --seed S`: the long form of the fault tests.

With --crash-points, crashes at every point and every pair of them instead, on both databases; with
--histories, runs so many made-up histories of the delivery protocol instead; with --lives, so many
made-up lives of orders and their stock.
Ends with a verdict, and with exit code 1 when an invariant was broken.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from random import Random

import anyio

from tests.faults.attack import Report, attack, schedule
from tests.faults.deployment import Deployment, embedded, servers
from tests.faults.long_forms import crash_points, histories, lives
from tests.faults.plants import PLANTS
from tests.faults.table import told

ENGINES: dict[str, Callable[[Path, str], AbstractAsyncContextManager[Deployment]]] = {
    "embedded": embedded,
    "servers": partial(servers, disk_may_fill=True),
}


async def _run(engine: str, options: argparse.Namespace, seconds: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="orderly-faults-") as directory:
        async with ENGINES[engine](Path(directory), options.plant) as deployment:
            faults = [one for one in deployment.faults if not options.only or one in options.only]
            steps = schedule(faults, options.seed, seconds)
            return await attack(deployment, engine, steps, seed=options.seed)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _verdict(held: bool, what: str) -> int:  # noqa: FBT001 - what there is to say
    _tell(f"{'PASSED' if held else 'FAILED'}: {what}")
    return 0 if held else 1


def main() -> int:
    """Attack the engines asked for, one after the other, and say what became of them."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="for all engines together")
    parser.add_argument("--seed", type=int, default=Random().randrange(10_000))
    parser.add_argument("--engine", choices=ENGINES, help="default: both, half the time each")
    parser.add_argument("--only", action="append", default=[], help="a fault, by its name")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a bug to run with")
    parser.add_argument(
        "--crash-points", action="store_true", help="crash at every point and every pair instead"
    )
    parser.add_argument("--histories", type=int, default=0, help="run so many of them instead")
    parser.add_argument("--lives", type=int, default=0, help="run so many of them instead")
    options = parser.parse_args()
    if options.crash_points:
        return _verdict(anyio.run(crash_points, _tell), "every crash point and every pair")
    if options.histories:
        held = histories(_tell, options.histories, options.seed)
        return _verdict(held, f"{options.histories} histories of the delivery protocol")
    if options.lives:
        held = lives(_tell, options.lives, options.seed)
        return _verdict(held, f"{options.lives} lives of orders and their stock")
    engines = [options.engine] if options.engine else list(ENGINES)
    _tell(f"seed {options.seed}\n")
    broken = faults = 0
    for engine in engines:
        report = anyio.run(_run, engine, options, options.minutes * 60 / len(engines))
        _tell(told(report) + "\n")
        broken += len(report.broken)
        faults += report.faults.total()
    return _verdict(not broken, f"{faults} faults, {broken} invariants broken")


if __name__ == "__main__":
    sys.exit(main())
