"""Work in a process of its own that is measured step by step.

The child says when a step begins and waits for leave, so that the parent can read the clocks of the
database and the engine; its own CPU it reads itself, more finely than /proc tells.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.figure import Figure, Meter
from bench.servers import Servers
from tests.ends import EndsWithUs
from tests.starter import ROOT, clean_environment


@dataclass
class Step:
    """What the child fills in while a step runs."""

    units: int = 0
    more: dict[str, float] = field(default_factory=dict)


@contextmanager
def measured(name: str) -> Iterator[Step]:
    """In the child: run the block as a step of this name."""
    print(json.dumps({"begin": name}), flush=True)
    sys.stdin.readline()
    step = Step()
    cpu, wall = time.process_time(), time.perf_counter()
    yield step
    app_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    end = {"app_s": app_s, "wall_s": wall_s, "units": step.units, "more": step.more}
    print(json.dumps(end), flush=True)


def run_steps(
    servers: Servers,
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> dict[str, Figure]:
    """In the parent: run `python -m module arguments` and return a figure per step.

    Raises RuntimeError with the end of what it said when it fails.
    """
    figures = {}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder or servers.folder(),
            env=clean_environment(dict(environment or {}) | {"PYTHONPATH": str(ROOT)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        ends_with_us = EndsWithUs(process.pid)
        try:
            figures = _follow(servers, process)
        finally:
            ends_with_us.release()
            if process.poll() is None:
                process.kill()
            process.communicate()
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{module} failed:\n{log.read().decode()[-2000:]}")
    return figures


def _follow(servers: Servers, process: "subprocess.Popen[bytes]") -> dict[str, Figure]:
    assert process.stdin is not None
    assert process.stdout is not None
    figures = {}
    while line := process.stdout.readline():
        name = str(json.loads(line)["begin"])
        meter = Meter(servers, None)
        process.stdin.write(b"\n")
        process.stdin.flush()
        if not (line := process.stdout.readline()):
            break
        end = json.loads(line)
        figure = meter.figure(int(end["units"]))
        figure.app_s, figure.wall_s = float(end["app_s"]), float(end["wall_s"])
        figure.more = end["more"]
        figures[name] = figure
    process.wait()
    return figures
