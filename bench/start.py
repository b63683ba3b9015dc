"""Start-up and memory of one process: from its start to ready, idle, and under load."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from bench.case import Case, Effort
from bench.cpu import memory_mb, process_s
from bench.figure import Figure
from bench.intake import ORDERS, load
from bench.orders import SKUS
from bench.servers import Servers
from tests.system.orderly import Orderly

_IDLE_S = 2.0


def _started(process: Orderly, effort: Effort, *, loaded: bool = True) -> Figure:
    began = time.perf_counter()
    process.start()
    # It says where it listens when it does: the engines are up and the schema is right by then.
    figure = Figure(units=0, wall_s=0)
    figure.more = {
        "ready s": time.perf_counter() - began,
        "CPU s": process_s(process.pid),
    }
    time.sleep(0.2 if effort.quick else _IDLE_S)
    busy = process_s(process.pid)
    time.sleep(0.2 if effort.quick else _IDLE_S)
    used = process_s(process.pid) - busy
    figure.more["idle CPU %"] = 100 * used / (0.2 if effort.quick else _IDLE_S)
    figure.more["idle MB"] = memory_mb(process.pid)
    if loaded:
        load(process.url + ORDERS, connections=32, seconds=effort.seconds(4), refused_too=True)
        figure.more["loaded MB"] = memory_mb(process.pid)
    return figure


@contextmanager
def _ended(process: Orderly) -> Iterator[Orderly]:
    """Start nothing yet, but end what is started."""
    with ExitStack() as stack:
        stack.push(process)
        yield process
        process.terminate()


def _run(servers: Servers, effort: Effort) -> Mapping[str, Figure]:
    figures = {}
    with _ended(Orderly(servers.folder(), fresh=True)) as process:
        figures["embedded, first start"] = _started(process, effort, loaded=False)
    with _ended(Orderly(servers.shop_folder(SKUS), fresh=True)) as process:
        figures["embedded, with a database"] = _started(process, effort)
    for role in ("api", "worker"):
        database = servers.shop(SKUS)
        environment = servers.environment(database, role=role)
        with _ended(Orderly(servers.folder(), environment, fresh=True)) as process:
            figures[f"{role} on servers"] = _started(process, effort, loaded=role == "api")
        servers.drop(database)
    return figures


def cases() -> list[Case]:
    """Return the one case of start-up."""
    return [Case(group="start-up", name="serve", unit="start", run=_run, ours=True)]
