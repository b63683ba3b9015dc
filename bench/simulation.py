"""What 1,000, 10,000 and 100,000 orders a second take: `python3 dev.py bench --simulate`.

Prints Markdown, computed from the last kept run that measured "batch sizes" and "scale-out", or
from the one that is named; --docs puts it into docs/scaling.md. `bench.model` has what is assumed.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.costs import BATCH, DECIDE, Costs, newest
from bench.machine import in_a_sentence
from bench.model import Model, Seen, Site
from bench.plots import bars
from bench.report import Results, put_into
from bench.sizing import DECIDES, RELAYS, TRIP_S, UTILISATION, Plan, ceilings, plan, seconds

PAGE = Path(__file__).parents[1] / "docs/scaling.md"
PLOT = PAGE.parent / "plots/scaling.svg"

RATES = (1_000, 10_000, 100_000)
LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
BACKLOG = 6000

_SECONDS = 3.0
_DAY_S = 86_400

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def page(results: Results) -> str:
    """Return all tables as Markdown, with what they were computed from above."""
    costs = Costs.of(results)
    lines = [f"Fed with a run of {results.at:%d %B %Y}, on {in_a_sentence(results.machine)}."]
    for title, (heads, rows) in _tables(costs):
        lines += ["", f"**{title}**", "", _line(heads), "|" + "---|" * len(heads)]
        lines += map(_line, rows)
    return "\n".join(lines)


def plot(results: Results) -> str:
    """Return the ceilings as bars: what breaks first is the shortest."""
    return bars("Orders a second that one of each can do", ceilings(Costs.of(results)))


def _tables(costs: Costs) -> Iterator[tuple[str, Table]]:
    yield "Measured: two APIs, and 1, 2 or 4 workers, per order", _measured(costs)
    yield "Measured: what an order leaves behind", _left_behind(costs)
    yield "Fitted: microseconds of CPU of a batch, for itself + for each event", _fitted(costs)
    yield "The model held against what was measured", _checked(costs)
    yield "The most that one of each can do, orders a second", _ceilings(costs)
    yield "One SKU that every order wants, orders a second by batch", _hot(costs)
    plans = [plan(costs, rate) for rate in RATES]
    yield f"What a rate takes, nothing above {UTILISATION:.0%}", _sizes(costs, plans)
    yield "From POST to confirmed by load, of one shard", _by_load(costs)


_SHOWN = (
    *("per s", "accepted per s", "API µs", "worker µs", "database µs", "engine µs"),
    *("least of most %", "in a batch", "wake-ups", "p50 ms", "p99 ms", "others' cores"),
)


def _measured(costs: Costs) -> Table:
    heads = ("workers, work", *_SHOWN)
    return heads, [
        (f"{workers}, {work}", *(_number(row.get(name)) for name in _SHOWN))
        for (workers, work), row in costs.scaled.items()
    ]


_LEFT = (
    *("WAL bytes", "stored bytes", "commits"),
    *("Redis commands", "Redis bytes in", "Redis bytes out"),
)


def _left_behind(costs: Costs) -> Table:
    return ("one worker", *_LEFT), [
        (work, *(_number(costs.scaled[1, work].get(name)) for name in _LEFT))
        for workers, work in costs.scaled
        if workers == 1
    ]


def _fitted(costs: Costs) -> Table:
    lines = [*costs.parts.items(), ("inventory decides, one SKU", costs.hot_part)]
    rows: list[tuple[str, ...]] = [
        (
            name,
            *(
                f"{1e6 * line.fixed_s:,.0f} + {1e6 * line.each_s:,.1f}"
                for line in (hop.app, hop.database, hop.engine)
            ),
        )
        for name, hop in lines
    ]
    rows.append(("all in one worker, beside their sum", *(f"× {by:.2f}" for by in costs.markup)))
    return ("hop", "process", "database", "engine"), rows


def _checked(costs: Costs) -> Table:
    rows = []
    for (workers, work), found in costs.scaled.items():
        site = Site(apis=2, workers=workers, shared_cores=costs.cores)
        if work == "backlog":
            dearer = costs.as_dear_as(found)
            rates = [BACKLOG / Model(each, site).drain(BACKLOG).seconds for each in (costs, dearer)]
            cells = (*map(_number, (*rates, found["per s"])), f"{rates[1] / found['per s']:.2f}")
            rows.append((f"{workers}, {work}", "per s", *cells))
        elif work.endswith("/s"):
            seen = Model(costs, site).steady(float(work.removesuffix("/s")), 10 * _SECONDS)
            p50_ms = seen.quantile_ms(0.5)
            cells = (
                _number(p50_ms),
                "–",
                _number(found["p50 ms"]),
                f"{p50_ms / found['p50 ms']:.2f}",
            )
            rows.append((f"{workers}, {work}", "p50 ms", *cells))
    heads = ("workers, work", "what", "with the CPU of one worker", "with the CPU of this row")
    return (*heads, "measured", "predicted ÷ measured"), rows


def _ceilings(costs: Costs) -> Table:
    return ("one", "at 100 %", f"at {UTILISATION:.0%}"), [
        (name, _number(most), _number(UTILISATION * most)) for name, most in ceilings(costs).items()
    ]


def _hot(costs: Costs) -> Table:
    sizes = (1, 10, 50, 200, BATCH)
    most = [size / seconds(costs, costs.hot, size) for size in sizes]
    held = [1000 * seconds(costs, costs.hot, size) for size in sizes]
    heads = ("batch", *map(str, sizes))
    return heads, [
        ("its level is held, ms", *map(_number, held)),
        ("orders a second", *map(_number, most)),
    ]


def _sizes(costs: Costs, plans: Sequence[Plan]) -> Table:
    order = costs.pressed
    seen = [_of_shard(costs, each) for each in plans]

    def row(name: str, values: Sequence[float]) -> tuple[str, ...]:
        return (name, *map(_number, values))

    network = order["Redis bytes in"] + order["Redis bytes out"]
    return ("orders a second", *(f"{each.rate:,.0f}" for each in plans)), [
        row("databases, each with its relay and stream", [each.shards for each in plans]),
        row("API processes", [each.apis for each in plans]),
        row("worker processes", [each.workers for each in plans]),
        *(
            row(f"busy: {name}, %", [100 * each.uses[name] for each in plans])
            for name in plans[0].uses
        ),
        row("batch of inventory", [each.batches[DECIDE] for each in plans]),
        row("cores of PostgreSQL, busy in all", [each.database_cores for each in plans]),
        row("cores of Redis, busy in all", [each.engine_cores for each in plans]),
        row("commits a second", [each.commits for each in plans]),
        row("WAL, MB a second", [1e-6 * each.rate * order["WAL bytes"] for each in plans]),
        row(
            "tables, GB a day",
            [1e-9 * _DAY_S * each.rate * order["stored bytes"] for each in plans],
        ),
        row("Redis commands a second", [each.rate * order["Redis commands"] for each in plans]),
        row("Redis network, Mbit a second", [8e-6 * each.rate * network for each in plans]),
        row("POST to confirmed, p50 ms", [each.quantile_ms(0.5) for each in seen]),
        row("POST to confirmed, p99 ms", [each.quantile_ms(0.99) for each in seen]),
        row(
            "orders under way (Little)",
            [_under_way(*each) for each in zip(plans, seen, strict=True)],
        ),
    ]


def _of_shard(costs: Costs, found: Plan) -> Seen:
    return Model(costs, found.site()).steady(found.rate / found.shards, _SECONDS)


def _under_way(found: Plan, seen: Seen) -> float:
    return found.rate * sum(seen.waits_s) / len(seen.waits_s)


def _by_load(costs: Costs) -> Table:
    found = ceilings(costs)
    most = min(found[RELAYS], found[DECIDES])
    rows = []
    for load in LOADS:
        rate = load * most
        needed = plan(costs, UTILISATION * most * min(1.0, load / UTILISATION))
        site = Site(apis=needed.apis, workers=needed.workers, trip_s=TRIP_S)
        seen = Model(costs, site).steady(rate, _SECONDS)
        cores = (seen.used["workers"], seen.used["database"], seen.used["engine"])
        times = (seen.quantile_ms(0.5), seen.quantile_ms(0.99))
        rows.append((f"{load:.0%}", *map(_number, (rate, *cores, *times))))
    heads = ("load", "orders a second", "worker cores", "database cores", "engine cores")
    return (*heads, "p50 ms", "p99 ms"), rows


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or value == round(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(prog="dev.py bench --simulate", description=__doc__)
    parser.add_argument("--docs", action="store_true", help="put them into docs/scaling.md")
    parser.add_argument("file", nargs="?", type=Path, help="which run is meant (the last one)")
    asked = parser.parse_args(arguments)
    try:
        results = Results.load(asked.file or newest())
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    text = page(results)
    if asked.docs:
        PAGE.write_text(put_into(PAGE.read_text(), text))
        PLOT.write_text(plot(results))
        print(f"{PAGE}\n{PLOT}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
