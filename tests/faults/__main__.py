"""`python -m tests.faults --minutes N --seed S`: the long form of the fault tests.

Ends with a verdict, and with exit code 1 when an invariant was broken.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

import anyio

from tests.faults.attack import Report, attack, schedule
from tests.faults.deployment import embedded, servers
from tests.faults.plants import PLANTS
from tests.faults.table import told

ENGINES = {"embedded": embedded, "servers": servers}


async def _run(engine: str, options: argparse.Namespace, seconds: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="orderly-faults-") as directory:
        async with ENGINES[engine](Path(directory), options.plant) as deployment:
            faults = [one for one in deployment.faults if not options.only or one in options.only]
            steps = schedule(faults, options.seed, seconds)
            return await attack(deployment, engine, steps, seed=options.seed)


def main() -> int:
    """Attack the engines asked for, one after the other, and say what became of them."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="for all engines together")
    parser.add_argument("--seed", type=int, default=Random().randrange(10_000))
    parser.add_argument("--engine", choices=ENGINES, help="default: both, half the time each")
    parser.add_argument("--only", action="append", default=[], help="a fault, by its name")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a bug to run with")
    options = parser.parse_args()
    engines = [options.engine] if options.engine else list(ENGINES)
    sys.stdout.write(f"seed {options.seed}\n\n")
    broken = faults = 0
    for engine in engines:
        report = anyio.run(_run, engine, options, options.minutes * 60 / len(engines))
        sys.stdout.write(told(report) + "\n\n")
        sys.stdout.flush()
        broken += len(report.broken)
        faults += report.faults.total()
    verdict = "FAILED" if broken else "PASSED"
    sys.stdout.write(f"{verdict}: {faults} faults, {broken} invariants broken\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
