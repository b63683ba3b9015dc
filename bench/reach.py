"""What is to be reached, as ratios inside one run, and what a run found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Medians = Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]]
"""Numbers by group, then by case and variant."""

APP, RATE = "app µs", "per s"
_NO_IO, _OURS = "no-I/O endpoint, our middleware", "ours, PostgreSQL"


@dataclass(frozen=True)
class Goal:
    """A number to reach: at most, or at least."""

    name: str
    limit: float
    found: Callable[[Medians], float]
    at_least: bool = True
    unit: str = "×"

    def row(self, medians: Medians) -> tuple[str, str, str, str] | None:
        """Return name, what is wanted, what was found and whether that does; None if unmeasured."""
        try:
            found = self.found(medians)
        except (KeyError, ZeroDivisionError):
            return None
        is_reached = found >= self.limit if self.at_least else found <= self.limit
        sign = "≥" if self.at_least else "≤"
        digits = 0 if found >= 100 else 1 if found >= 10 else 2
        shown = f"{found:,.{digits}f} {self.unit}"
        return self.name, f"{sign} {self.limit:g} {self.unit}", shown, "yes" if is_reached else "no"


def _intake(medians: Medians, case: str, number: str = APP) -> float:
    return medians["intake"][case, "c32"][number]


def _consumer(medians: Medians) -> float:
    return medians["our parts"]["PostgreSQL", "inventory decides"][APP]


def _pipeline(medians: Medians) -> float:
    """Relay and handler of one order, which is what the peers' figures have at least."""
    relayed = medians["our parts"]["PostgreSQL", "relay order_created"][APP]
    return relayed + _consumer(medians)


def _waits(where: str, rate: str, number: str) -> Callable[[Medians], float]:
    return lambda m: m["latency"][f"POST to confirmed, {where}", rate][number]


def _grown(what: str) -> Callable[[Medians], float]:
    def ratio(medians: Medians) -> float:
        found = [row["ms"] for (_, name), row in medians["history"].items() if what in name]
        return found[-1] / found[0]

    return ratio


def goals() -> list[Goal]:
    """Return every goal, in the order of an order's way."""
    per_message = {
        "FastStream, ORM per message": 50,
        "FastStream, ORM, 16 workers": 35,
        "FastStream, batch of 500, Core": 2,
    }
    whole = (
        "FastStream, ORM, 16 workers",
        "taskiq-redis, ORM, 100 tasks",
        "celery, prefork, sync ORM",
        "DBOS queue, sync ORM",
    )
    return [
        *_intake_goals(),
        Goal(
            "relay against row by row, CPU",
            40,
            lambda m: m["relay"]["ORM, row by row", ""][APP] / m["relay"][_OURS, ""][APP],
        ),
        Goal(
            "relay against bare redis-py pipelines, CPU",
            0.8,
            lambda m: (
                m["relay"]["redis-py pipelines of 500, no database", ""][APP]
                / m["relay"][_OURS, ""][APP]
            ),
        ),
        *(
            Goal(
                f"consumer against {name}, CPU",
                limit,
                lambda m, name=name: m["pipeline"][name, ""][APP] / _consumer(m),  # type: ignore[misc]  # binds the name of this turn
            )
            for name, limit in per_message.items()
        ),
        *(
            Goal(
                f"relay and consumer against {name}, CPU",
                30,
                lambda m, name=name: m["pipeline"][name, ""][APP] / _pipeline(m),  # type: ignore[misc]  # as above
            )
            for name in whole
        ),
        Goal(
            "whole way, all application CPU per order",
            350,
            lambda m: _intake(m, _OURS) + m["pipeline"]["ours, whole way", ""][APP],
            at_least=False,
            unit="µs",
        ),
        *_process_goals(),
    ]


def _intake_goals() -> list[Goal]:
    def against(case: str, number: str, ours: str = _OURS) -> Callable[[Medians], float]:
        return lambda m: _intake(m, case, number) / _intake(m, ours, number)

    def of_no_io(ours: str, number: str) -> Callable[[Medians], float]:
        return lambda m: _intake(m, ours, number) / _intake(m, _NO_IO, number)

    return [
        Goal("intake against no-I/O, CPU", 1.25, of_no_io(_OURS, APP), at_least=False),
        Goal("intake against no-I/O, throughput", 0.85, of_no_io(_OURS, RATE)),
        Goal("intake against no-I/O, p99", 1.5, of_no_io(_OURS, "p99 ms"), at_least=False),
        Goal(
            "intake, application CPU",
            160,
            lambda m: _intake(m, _OURS),
            at_least=False,
            unit="µs",
        ),
        Goal("intake against the ORM outbox, CPU", 10, against("SQLAlchemy ORM outbox", APP)),
        Goal("intake against the dual write, CPU", 9, against("tutorial: ORM, then XADD", APP)),
        Goal("intake against one CTE each, CPU", 1.8, against("asyncpg, one CTE per request", APP)),
        Goal("SQLite intake against no-I/O, throughput", 0.5, of_no_io("ours, SQLite", RATE)),
        Goal(
            "SQLite intake against SQLite by ORM, CPU",
            8,
            against("SQLAlchemy ORM outbox, SQLite", APP, "ours, SQLite"),
        ),
    ]


def _process_goals() -> list[Goal]:
    limits = {("50/s", "p50 ms"): 10, ("50/s", "p99 ms"): 40}
    limits |= {("300/s", "p50 ms"): 5, ("300/s", "p99 ms"): 15}
    places = ("PostgreSQL and Valkey", "embedded")
    hot = "asyncpg, one CTE each, 32 clients"
    return [
        *(
            Goal(
                f"POST to confirmed, {where}, {rate}, {number[:3]}",
                limit,
                _waits(where, rate, number),
                at_least=False,
                unit="ms",
            )
            for where in places
            for (rate, number), limit in limits.items()
        ),
        *(
            Goal(
                f"confirmed of accepted when pressed, {where}",
                90,
                lambda m, where=where: m["fairness"][f"32 clients, {where}", ""]["confirmed %"],  # type: ignore[misc]  # as above
                unit="%",
            )
            for where in places
        ),
        *(
            Goal(f"{what} at 1 M retained against 5,000", 1.5, _grown(what), at_least=False)
            for what in ("outbox page", "reconcile's look")
        ),
        Goal(
            "hot SKU against 32 single conditional updates, throughput",
            25,
            lambda m: m["hot SKU"]["ours, batches", ""][RATE] / m["hot SKU"][hot, ""][RATE],
        ),
    ]
