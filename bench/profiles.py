"""Where the CPU of ours goes: py-spy's samples, shared out over packages.

As root, or with ptrace allowed; where py-spy may not look, the case says so.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench import feed, no_io
from bench.case import Case, Effort
from bench.cpu import freeze, thaw
from bench.figure import Figure
from bench.intake import ORDERS, NoIo, NoLoops, load, ours
from bench.latency import OPENED, RATES, open_loop
from bench.orders import SKUS
from bench.pipeline import wait_until_done
from bench.samples import shares_of
from bench.servers import Servers
from tests.system.orderly import Orderly

RATE = 250
_TOP = 8


def record(pid: int, seconds: float, folder: Path, work: Callable[[], object]) -> Figure:
    """Sample a process while work runs, and return each package's share in percent."""
    out = folder / "profile.txt"
    spy = Path(sys.executable).with_name("py-spy")
    command: list[str | Path] = [
        spy,
        "record",
        "-p",
        str(pid),
        "-r",
        str(RATE),
        "-d",
        str(max(1, round(seconds))),
    ]
    command += ["-f", "raw", "-F", "--full-filenames", "-o", out]
    worker = threading.Thread(target=work)
    worker.start()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    worker.join()
    if done.returncode:
        raise RuntimeError(f"py-spy: {done.stderr.strip()[-300:]}")
    shares = shares_of(out.read_text())
    figure = Figure(units=0, wall_s=0)
    figure.notes = [f"{name} {share:.0f} %" for name, share in shares.most_common(_TOP)]
    return figure


def _intake(
    servers: Servers, effort: Effort, *, kind: type[Orderly] = Orderly, path: str = ORDERS
) -> Mapping[str, Figure]:
    with ours(servers, kind, path=path) as target:
        load(target.url, connections=32, seconds=effort.seconds(1.5))
        return {"": _under_load(servers, effort, target.url, target.pid)}


def _embedded(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    with NoLoops(servers.shop_folder(SKUS), fresh=True) as process:
        url = process.url + ORDERS
        load(url, connections=32, seconds=effort.seconds(1.5))
        figure = _under_load(servers, effort, url, process.pid)
        process.terminate()
    return {"": figure}


def _under_load(servers: Servers, effort: Effort, url: str, pid: int) -> Figure:
    seconds = 1.0 if effort.quick else 4.0
    work = partial(load, url, connections=32, seconds=seconds + 1)
    return record(pid, seconds, servers.folder(), work)


def _worker(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    seconds = 1.0 if effort.quick else 3.0
    with ours(servers) as target:
        environment = servers.environment(target.database, role="worker")
        with Orderly(servers.folder(), environment, fresh=True) as worker:
            feed.place(target.url, 300)
            wait_until_done(servers, target)
            freeze(worker.pid)
            feed.place(target.url, effort.count(10_000, 500))
            figure = record(worker.pid, seconds, servers.folder(), partial(thaw, worker.pid))
            worker.terminate()
    return {"": figure}


def _at_a_low_rate(servers: Servers, effort: Effort, *, where: str) -> Mapping[str, Figure]:
    seconds = 1.0 if effort.quick else 4.0
    with OPENED[where](servers) as found:
        open_loop(found, RATES[0], 1)
        work = partial(open_loop, found, RATES[0], seconds + 1)
        return {"": record(found.process.pid, seconds, servers.folder(), work)}


def cases() -> list[Case]:
    """Return what is profiled."""

    def case(name: str, run: Callable[[Servers, Effort], Mapping[str, Figure]]) -> Case:
        return Case(group="profile", name=name, unit="sample", run=run, ours=True, once=True)

    return [
        case("no-I/O endpoint", partial(_intake, kind=NoIo, path=no_io.PATH)),
        case("intake, PostgreSQL", _intake),
        case("intake, SQLite", _embedded),
        case("worker, whole way", _worker),
        *(
            case(f"all roles at {RATES[0]}/s, {where}", partial(_at_a_low_rate, where=where))
            for where in OPENED
        ),
    ]
