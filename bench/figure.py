"""One measurement of one case, and what measures it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.servers import Servers


@dataclass(kw_only=True)
class Figure:
    """What so many units took. Seconds; None where nobody could look."""

    units: int
    wall_s: float
    app_s: float | None = None
    database_s: float | None = None
    engine_s: float | None = None
    client_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    more: dict[str, float] = field(default_factory=dict)
    """Figures of this case alone, by name with unit."""
    notes: list[str] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        """Return what a table shows: microseconds of CPU per unit, units per second, times."""
        cpu = {
            "app µs": self.app_s,
            "database µs": self.database_s,
            "engine µs": self.engine_s,
            "client µs": self.client_s,
        }
        shown = {
            name: seconds * 1e6 / self.units
            for name, seconds in cpu.items()
            if seconds is not None and self.units
        }
        if self.units and self.wall_s:
            shown["per s"] = self.units / self.wall_s
        times = {"p50 ms": self.p50_ms, "p99 ms": self.p99_ms}
        shown |= {name: each for name, each in times.items() if each is not None}
        return shown | self.more


def median_of(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number over the rounds that have it."""
    names = list(dict.fromkeys(name for each in rounds for name in each))
    return {name: median(each[name] for each in rounds if name in each) for name in names}


class Meter:
    """Reads the clocks of the application, the database and the engine before and after work."""

    def __init__(self, servers: Servers, app_s: Callable[[], float] | None) -> None:
        self._servers = servers
        self._app_s = app_s
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        return (
            time.perf_counter(),
            self._app_s() if self._app_s else 0.0,
            self._servers.database_s() or 0.0,
            self._servers.engine_s(),
        )

    def figure(self, units: int) -> Figure:
        """Return what was used since this meter was made."""
        wall, app, database, engine = (
            after - before for after, before in zip(self._read(), self._before, strict=True)
        )
        return Figure(
            units=units,
            wall_s=wall,
            app_s=app if self._app_s else None,
            database_s=None if self._servers.database_s() is None else database,
            engine_s=engine,
        )
