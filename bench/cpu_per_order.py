"""CPU per order for each part of its way, and POST-to-confirmed latency; see bench/README.md."""

import argparse
import functools
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import TypeVar

import anyio
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parents[1]))

from app import db, schema
from app.bus.consumer import ConsumerPolicy
from app.bus.relay import RelayPolicy
from app.runtime import database_file
from app.settings import Settings
from app.telemetry import configure_logging
from bench.latency import Latency, latency
from bench.parts import CLIENTS, CountingStream, Figures, Intake, Line, in_process, over_http
from tests.postgres import PostgresServer
from tests.system.orderly import Orderly
from tests.valkey import ValkeyServer

T = TypeVar("T")

WARM_UP = 100
RATE, SECONDS = 50, 5.0


def main() -> None:
    """Measure what the command line asks for, and print it."""
    asked = _arguments()
    # Told to end, we still end what we started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    _show_machine(asked)
    figures: dict[str, Figures] = {}
    latencies: dict[str, Latency] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderly-bench-")))
        _log_to_nowhere(stack)
        valkey = ValkeyServer()
        stack.callback(valkey.stop)
        valkey.start()
        if asked.database in {"both", "sqlite"}:
            settings = _settings(data=directory / "parts", stream_prefix="sqlite")
            figures["SQLite"] = _run(_sqlite_parts, settings, valkey.url, asked)
            latencies["embedded"] = _embedded_latency(directory, asked)
        if asked.database != "sqlite":
            server = PostgresServer()
            stack.callback(server.stop)
            server.start()
            figures["PostgreSQL"] = _postgres_parts(server, valkey.url, directory, asked)
            latencies["api + worker"] = _servers_latency(server, valkey.url, directory, asked)
    _show_figures(figures)
    _show_latencies(latencies)
    print(f"\ntook {time.monotonic() - began:.0f} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database",
        default="both",
        help="sqlite, postgresql (a server from the test dependencies), the URL of a server to "
        "make databases on, or both (default)",
    )
    parser.add_argument("--orders", type=int, default=1000, help="orders measured (1000)")
    parser.add_argument("--lines", type=int, default=3, help="lines per order (3)")
    asked = parser.parse_args()
    if "://" in asked.database:
        os.environ["TEST_DATABASE_URL"] = asked.database
    elif asked.database not in {"both", "sqlite", "postgresql"}:
        parser.error(f"--database {asked.database} is neither a known word nor a URL")
    return asked


def _log_to_nowhere(stack: ExitStack) -> None:
    """Log as a served process does, one write per line, but to where nobody reads."""
    nowhere = Path(os.devnull).open("w", buffering=1)  # noqa: SIM115 - closed by the stack
    with redirect_stderr(stack.enter_context(nowhere)):
        configure_logging(_settings(log_format="json"))


def _settings(**values: object) -> Settings:
    """Return settings that come from here alone, not from the machine's environment."""
    return Settings.model_validate(values)


def _run(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run on the event loop that `serve` uses."""
    call = functools.partial(function, *arguments)
    return anyio.run(call, backend_options={"use_uvloop": sys.platform != "win32"})


async def _sqlite_parts(settings: Settings, stream_url: str, asked: argparse.Namespace) -> Figures:
    settings.data.mkdir()
    await schema.migrate(settings)
    database = db.sqlite(database_file(settings))
    stream = CountingStream(stream_url, settings.stream_prefix)
    return await _parts(database, stream, in_process(database, stream, settings), asked)


async def _parts(
    database: db.Database, stream: CountingStream, intake: Intake, asked: argparse.Namespace
) -> Figures:
    line = Line(database, stream, intake)
    try:
        await line.prepare()
        await line.run(WARM_UP, asked.lines)
        return await line.run(asked.orders, asked.lines)
    finally:
        await stream.close()
        await database.close()


def _postgres_parts(
    server: PostgresServer, stream_url: str, directory: Path, asked: argparse.Namespace
) -> Figures:
    url = _migrated(server)
    servers = {"DATABASE_URL": url, "REDIS_URL": stream_url, "APP_ROLE": "api"}
    with _serving(directory, servers) as api:
        stream = CountingStream(stream_url, "postgresql")
        return _run(_parts, db.postgresql(url), stream, over_http(api.url, api.pid), asked)


def _migrated(server: PostgresServer) -> str:
    """Create a database with our schema and return its URL."""
    url = server.create_database()
    settings = _settings(DATABASE_URL=SecretStr(url), REDIS_URL=SecretStr("redis://unused"))
    anyio.run(schema.migrate, settings)
    return url


@contextmanager
def _serving(directory: Path, environment: Mapping[str, str]) -> Iterator[Orderly]:
    """Run a process in directory, and end it the gentle way."""
    directory.mkdir(exist_ok=True)
    with ExitStack() as stack:
        process = Orderly(directory, environment)
        # Before it starts: what is interrupted while it starts must end it too.
        stack.push(process)
        process.start()
        yield process
        process.terminate()


def _embedded_latency(directory: Path, asked: argparse.Namespace) -> Latency:
    with _serving(directory / "embedded", {}) as process:
        return _latency_of(process, asked)


def _servers_latency(
    server: PostgresServer, stream_url: str, directory: Path, asked: argparse.Namespace
) -> Latency:
    servers = {
        "DATABASE_URL": _migrated(server),
        "REDIS_URL": stream_url,
        "APP_STREAM_PREFIX": "latency",
    }
    with (
        _serving(directory, servers | {"APP_ROLE": "worker"}),
        _serving(directory, servers | {"APP_ROLE": "api"}) as api,
    ):
        return _latency_of(api, asked)


def _latency_of(process: Orderly, asked: argparse.Namespace) -> Latency:
    return _run(
        functools.partial(latency, process.url, rate=RATE, seconds=SECONDS, lines=asked.lines)
    )


def _show_machine(asked: argparse.Namespace) -> None:
    print(
        f"{os.cpu_count()} cores of {_cpu_model()}, Python {platform.python_version()}, "
        f"load before {os.getloadavg()[0]:.1f}"
    )
    print(f"{asked.orders} orders of {asked.lines} lines, after {WARM_UP} to warm up")
    print(
        f"batches: 1 order per request ({CLIENTS} requests at a time), relay pages of "
        f"{RelayPolicy().page}, consumer batches of {ConsumerPolicy().batch}\n"
    )


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _show_figures(figures: Mapping[str, Figures]) -> None:
    """Print one row per part and one column per database."""
    print(f"{'µs of CPU per order (mean batch)':<36}" + "".join(f"{name:>20}" for name in figures))
    for part in next(iter(figures.values())).cost_us:
        cells = (f"{each.cost_us[part]:.0f} ({each.batch[part]:.0f})" for each in figures.values())
        print(f"{part:<36}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"{'sum':<36}" + "".join(f"{each.total_us:>20.0f}" for each in figures.values()))


def _show_latencies(latencies: Mapping[str, Latency]) -> None:
    """Print one row per deployment; a look is one answer of GET, so confirmed is late by half."""
    names = ("POST p50", "p99", "confirmed p50", "p99", "a look every")
    print(
        f"\n{f'ms at {RATE} orders/s for {SECONDS:.0f} s':<28}", *(f"{name:>14}" for name in names)
    )
    for name, found in latencies.items():
        shown = (
            *_p50_p99(found.posted),
            *_p50_p99(found.confirmed),
            statistics.median(found.looks or [0]),
        )
        print(f"{name:<28}", *(f"{number:>14.1f}" for number in shown))


def _p50_p99(times: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


if __name__ == "__main__":
    main()
