"""`python3 dev.py bench`: Orderly and its peers, in turns, on the same servers. See README.md."""

import argparse
import fnmatch
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench import (
    batches,
    front_page,
    growth,
    intake,
    latency,
    pipeline,
    plots,
    profiles,
    relay,
    scale_out,
    simulation,
    start,
)
from bench.case import Case, Effort
from bench.machine import in_a_sentence, machine
from bench.report import Results, latest, put_into
from bench.servers import Servers

PAGE = Path(__file__).parents[1] / "docs/performance.md"
GROUPS = (intake, relay, pipeline, latency, growth, batches, scale_out, start, profiles)


def main() -> int:
    """Measure what the command line asks for, print it, and keep it."""
    if sys.argv[1:2] == ["--simulate"]:
        return simulation.main(sys.argv[2:])
    parser = _parser()
    asked = parser.parse_args()
    if asked.markdown or asked.docs:
        return _show(asked.file or latest(), into_docs=asked.docs)
    chosen = [case for module in GROUPS for case in module.cases() if _wanted(case, asked.only)]
    if not chosen:
        parser.error(f"nothing is called {' '.join(asked.only)}")
    # Told to end, we still end what we started, and show what was found until then.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = machine()
    print(in_a_sentence(found), flush=True)
    results = Results(found, quick=asked.quick)
    began = time.monotonic()
    with suppress(KeyboardInterrupt):
        effort = Effort(quick=asked.quick)
        measure(chosen, results, effort, rounds=1 if asked.quick else asked.rounds)
    print(results.plain())
    print(f"\ntook {(time.monotonic() - began) / 60:.1f} minutes")
    if not (asked.quick or asked.only) or asked.keep:
        print(f"kept in {results.save(part=bool(asked.only))}")
    return 1 if results.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--quick", action="store_true", help="tiny: shows that all of it works")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="groups or words of cases' names, such as: intake relay 'whole way'",
    )
    parser.add_argument("--keep", action="store_true", help="keep the figures of a part as well")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="measure nothing: print a kept run as Markdown",
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="measure nothing: put a kept run into docs/performance.md and README, plots included",
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="measure nothing: what large rates take, by `bench.simulation`; comes first",
    )
    parser.add_argument("file", nargs="?", type=Path, help="which run is meant (the last one)")
    return parser


def _show(path: Path | None, *, into_docs: bool) -> int:
    if path is None:
        print("No run is kept yet.", file=sys.stderr)
        return 1
    results = Results.load(path)
    if not into_docs:
        print(results.markdown())
        return 0
    PAGE.write_text(put_into(PAGE.read_text(), results.markdown()))
    written = (PAGE, front_page.write(), *plots.write(results.medians()))
    print("\n".join(map(str, written)))
    return 0


def measure(chosen: Sequence[Case], results: Results, effort: Effort, *, rounds: int) -> None:
    """Run the cases in turns, round by round, so that a noisy minute hits all alike."""
    with Servers() as servers:
        for number in range(rounds):
            # Every other round backwards, so that none always follows the same one.
            for case in chosen if number % 2 == 0 else reversed(chosen):
                if case.once and number:
                    continue
                servers.empty_engine()
                began = time.monotonic()
                print(f"{number + 1}/{rounds} {case.group}: {case.name} ", end="", flush=True)
                try:
                    results.add(case, case.run(servers, effort))
                except Exception as error:  # noqa: BLE001 - one broken case must not cost the others
                    results.failed(case, str(error) or type(error).__name__)
                    traceback.print_exc()
                print(f"({time.monotonic() - began:.0f} s)", flush=True)


def _wanted(case: Case, only: Sequence[str] | None) -> bool:
    """Tell whether a case was asked for: by its group, or by a pattern or part of its name."""
    return only is None or any(
        word == case.group or word.lower() in case.name.lower() or fnmatch.fnmatch(case.name, word)
        for word in only
    )


if __name__ == "__main__":
    sys.exit(main())
