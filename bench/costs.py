"""What a batch costs by its size, out of a kept run: what the simulation is fed with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from bench.report import Results, last_with

NEEDED = {"batch sizes", "scale-out"}
"""The groups that a run must have measured."""

INTAKE, RELAY, DECIDE = "intake", "relay", "inventory decides"
SETTLE, PASS_BY = "orders settles", "inventory passes over"
HOPS = (INTAKE, RELAY, DECIDE, SETTLE, PASS_BY)

EVENTS = {RELAY: 3, DECIDE: 1, SETTLE: 1, PASS_BY: 1}
"""How often an order passes each hop of a worker."""

BATCH = 500
"""The most that a loop takes at once: APP_BATCH, and the relay's page."""

Row = Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """Seconds that a batch takes: so many for itself, and so many for each event in it."""

    fixed_s: float
    each_s: float

    def of(self, size: float) -> float:
        """Return the seconds of a batch of this size."""
        return self.fixed_s + self.each_s * size

    def times(self, by: float) -> "Line":
        """Return the line that is so many times as high."""
        return Line(self.fixed_s * by, self.each_s * by)

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> Self:
        """Return the line of least squares through (size, seconds of a batch).

        Errors count relative to what was measured, or the largest batch would be all that counts.
        Neither part is ever negative.
        """
        weights = [1 / max(seconds, 1e-6) ** 2 for _, seconds in points]
        weighed = list(zip(weights, points, strict=True))
        ones, sizes, squares = (sum(w * size**n for w, (size, _) in weighed) for n in range(3))
        total, moment = (sum(w * s * size**n for w, (size, s) in weighed) for n in range(2))
        determinant = ones * squares - sizes**2
        if determinant <= 1e-9 * ones * squares:
            return cls(0.0, moment / squares)
        fixed = (total * squares - moment * sizes) / determinant
        each = (moment * ones - total * sizes) / determinant
        if each < 0:
            return cls(total / ones, 0.0)
        return cls(fixed, each) if fixed >= 0 else cls(0.0, moment / squares)


@dataclass(frozen=True)
class Hop:
    """CPU that a batch takes of the process, of the database and of the stream engine."""

    app: Line
    database: Line
    engine: Line

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Fit the rows of one hop, each of another batch size."""

        def line(name: str) -> Line:
            sized = [(row["in a batch"], row[name]) for row in rows]
            return Line.through([(size, 1e-6 * each * size) for size, each in sized])

        return cls(line("app µs"), line("database µs"), line("engine µs"))

    def cpu_s(self, size: float) -> float:
        """Return the CPU seconds of a batch of this size, wherever they are spent."""
        return self.app.of(size) + self.database.of(size) + self.engine.of(size)

    def times(self, markup: "Markup") -> "Hop":
        """Return what it takes where everything is so many times as dear."""
        return Hop(*(line.times(by) for line, by in zip(self._lines, markup, strict=True)))

    @property
    def _lines(self) -> tuple[Line, Line, Line]:
        return self.app, self.database, self.engine


class Markup(NamedTuple):
    """How many times as dear the whole is as the sum of its parts, each run alone.

    Caches are shared then, other loops poll and look after things, and the database writes back,
    vacuums and logs.
    """

    app: float
    database: float
    engine: float


@dataclass(frozen=True)
class Costs:
    """All that the simulation knows.

    parts are hops as they were measured, each alone; hops are those with what the whole way of an
    order through one worker cost beyond them. sync_s is how long the disk takes to sync a commit.
    pressed is what an order took of everything when two APIs and one worker were busy, and scaled
    are the rows of "scale-out" by workers and by what was done.
    """

    parts: Mapping[str, Hop]
    hot_part: Hop
    markup: Markup
    sync_s: float
    cores: int
    pressed: Row
    scaled: Mapping[tuple[int, str], Row]

    @classmethod
    def of(cls, results: Results) -> Self:
        """Read them out of a run; raises KeyError when it did not measure them."""
        medians = results.medians()
        rows: dict[tuple[bool, str], list[Row]] = {}
        for (case, variant), row in medians["batch sizes"].items():
            rows.setdefault((case == "one SKU", variant.partition(",")[0]), []).append(row)
        scaled = {
            (int(case.partition(", ")[2].split()[0]), variant): row
            for (case, variant), row in medians["scale-out"].items()
        }
        parts = {name: Hop.of(rows[False, name]) for name in HOPS}
        return cls(
            parts=parts,
            hot_part=Hop.of(rows[True, DECIDE]),
            markup=_markup(parts, scaled[1, "backlog"]),
            sync_s=1e-6 * results.machine["fdatasync_us"],
            cores=int(results.machine["cores"]),
            pressed=scaled[1, "pressed"],
            scaled=scaled,
        )

    @cached_property
    def hops(self) -> Mapping[str, Hop]:
        """What a batch takes of everything, in the company of the others."""
        return {
            name: part if name == INTAKE else part.times(self.markup)
            for name, part in self.parts.items()
        }

    @cached_property
    def hot(self) -> Hop:
        """Inventory's decision when every order wants one SKU."""
        return self.hot_part.times(self.markup)

    def as_dear_as(self, row: Row) -> "Costs":
        """Return costs by which a worker's way is as dear as it was in a row of backlog."""
        return replace(self, markup=_markup(self.parts, row))


def _markup(parts: Mapping[str, Hop], row: Row) -> Markup:
    def parted(which: Callable[[Hop], Line]) -> float:
        return sum(n * which(parts[hop]).of(BATCH) / BATCH for hop, n in EVENTS.items())

    return Markup(
        1e-6 * row["worker µs"] / parted(attrgetter("app")),
        1e-6 * row["database µs"] / parted(attrgetter("database")),
        1e-6 * row["engine µs"] / parted(attrgetter("engine")),
    )


def newest() -> Path:
    """Return the last kept run that measured what is needed; raises FileNotFoundError without."""
    return last_with(NEEDED)
