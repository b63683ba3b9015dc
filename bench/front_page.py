"""The short table of README, out of the last whole run: `python -m bench.front_page` writes it.

`bench --docs` does so too. The sentence above it says where and when, as figures without that say
nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from bench.machine import in_a_sentence
from bench.reach import APP, RATE, Medians
from bench.report import Results, last_with, put_into

README = Path(__file__).parents[1] / "README.md"

# What a run must have measured to be whole.
NEEDED = {"intake", "relay", "our parts", "pipeline", "latency"}


def last_whole_run() -> Results:
    """Return the last kept run of everything; raises FileNotFoundError when there is none."""
    return Results.load(last_with(NEEDED))


def table(results: Results) -> str:
    """Return the sentence and the table, as Markdown; raises KeyError when a row is missing."""
    medians = results.medians()
    rounds = max(len(each) for each in results.rounds["intake"].values())
    when = f"{results.at:%d %B %Y}, {rounds} round{'s' * (rounds > 1)}"
    lines = [
        f"{when}, on {in_a_sentence(results.machine)}.",
        "First the CPU of the application for one order or event, then how many one process did.",
        "",
        "| | Orderly | others |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in (*_taken(medians), *_handled(medians))),
        *(f"| {what} | {found} | |" for what, found in _waited(medians).items()),
    ]
    return "\n".join(lines)


def _taken(medians: Medians) -> list[tuple[str, str, str]]:
    intake = medians["intake"]
    others = {
        "SQLAlchemy ORM and an outbox": "SQLAlchemy ORM outbox",
        "the tutorial's two writes": "tutorial: ORM, then XADD",
        "one asyncpg statement each": "asyncpg, one CTE per request",
        "the same endpoint without any I/O": "no-I/O endpoint, our middleware",
    }
    return [
        (
            "order taken, PostgreSQL, 32 clients",
            _cost(intake["ours, PostgreSQL", "c32"], rate=True),
            _all({name: intake[case, "c32"] for name, case in others.items()}),
        ),
        (
            "order taken, SQLite, 32 clients",
            _cost(intake["ours, SQLite", "c32"], rate=True),
            _all({"SQLAlchemy ORM": intake["SQLAlchemy ORM outbox, SQLite", "c32"]}),
        ),
    ]


def _handled(medians: Medians) -> list[tuple[str, str, str]]:
    relay, parts, pipeline = medians["relay"], medians["our parts"], medians["pipeline"]
    others = {
        "FastStream, a transaction each": "FastStream, ORM, 16 workers",
        "FastStream, batches and Core": "FastStream, batch of 500, Core",
        "taskiq": "taskiq-redis, ORM, 100 tasks",
        "celery": "celery, prefork, sync ORM",
        "DBOS": "DBOS queue, sync ORM",
    }
    return [
        (
            "event relayed to the stream",
            _cost(relay["ours, PostgreSQL", ""], rate=True),
            _all({"row by row": relay["ORM, row by row", ""]}),
        ),
        (
            "event handled: inbox, stock, next event",
            _cost(parts["PostgreSQL", "inventory decides"], rate=True),
            _all({name: pipeline[case, ""] for name, case in others.items()}),
        ),
    ]


def _waited(medians: Medians) -> Mapping[str, str]:
    places = ("PostgreSQL and Valkey", "embedded")
    rows = {
        (rate, where): medians["latency"][f"POST to confirmed, {where}", rate]
        for rate in ("50/s", "300/s")
        for where in places
    }
    return {
        f"POST to confirmed, {where}, {rate}": f"p50 {_number(row['p50 ms'])} ms, "
        f"p99 {_number(row['p99 ms'])} ms"
        for (rate, where), row in rows.items()
    }


def _all(rows: Mapping[str, Mapping[str, float]]) -> str:
    return "; ".join(f"{name} {_cost(row)}" for name, row in rows.items())


def _cost(row: Mapping[str, float], *, rate: bool = False) -> str:
    cost = f"{_number(row[APP])} µs"
    return f"**{cost}**, {_number(row[RATE])}/s" if rate else cost


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def write() -> Path:
    """Put the figures of the last whole run into README."""
    README.write_text(put_into(README.read_text(), table(last_whole_run())))
    return README


if __name__ == "__main__":
    write()
