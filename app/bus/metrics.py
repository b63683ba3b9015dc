"""What the bus counts and measures, each by name: the catalogue, and the few classes it is made of.

Counts are of this process. What is read from the database at a scrape is the same in every process.
No label holds an id or a path: their values are names that this build, or the registry, knows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily

# A second series for each of ours, which tells when it began, and which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it takes nothing

REGISTRY = CollectorRegistry()
"""Holds what this process counts; never the library's own, which others may fill."""

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds for what should take milliseconds."""

WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)
"""Upper bounds, in seconds, for what may have to wait for an engine to come back."""

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Upper bounds for how many are taken at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One entry of the catalogue; its name carries the unit and is what a scrape shows."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Count:
    """A number that only grows, for each set of label values."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        self.metric = Metric(name=name, kind="counter", help=help_, labels=labels)
        self._counter = Counter(name, help_, labels, registry=REGISTRY)
        self._children: dict[tuple[str, ...], Counter] = {}

    def add(self, number: float, *labels: str) -> None:
        """Add number to the count of these label values."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = (
                self._counter.labels(*labels) if labels else self._counter
            )
        child.inc(number)


class Spread:
    """How values are spread over buckets, for each set of label values."""

    def __init__(self, name: str, help_: str, *labels: str, bounds: Sequence[float]) -> None:
        self.metric = Metric(name=name, kind="histogram", help=help_, labels=labels)
        self._histogram = Histogram(name, help_, labels, registry=REGISTRY, buckets=bounds)
        self._children: dict[tuple[str, ...], Histogram] = {}

    def see(self, value: float, *labels: str) -> None:
        """Put a value into its bucket."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = (
                self._histogram.labels(*labels) if labels else self._histogram
            )
        child.observe(value)


class Level:
    """Something that is looked up when somebody asks, and not counted."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        self.metric = Metric(name=name, kind="gauge", help=help_, labels=labels)

    def now(self, values: Mapping[tuple[str, ...], float | None]) -> GaugeMetricFamily:
        """Return it as a scrape shows it: a value for each set of label values, None left out."""
        family = GaugeMetricFamily(self.metric.name, self.metric.help, labels=self.metric.labels)
        for labels, value in values.items():
            if value is not None:
                family.add_metric(labels, value)
        return family


RELAY_PUBLISHED = Count(
    "orderly_relay_published_events_total",
    "Events that this process's relay appended to a stream and marked, copies included.",
    "stream",
)
RELAY_PAGE = Spread(
    "orderly_relay_page_events", "Events that the relay published in one go.", bounds=SIZES
)
ATTEMPTS = Count(
    "orderly_handler_attempts_total",
    "Deliveries that were settled, by what became of them: handled, due (to be tried again), dead "
    "or discarded.",
    "subscriber",
    "type",
    "outcome",
)
HANDLER_DURATION = Spread(
    "orderly_handler_duration_seconds",
    "How long a handler took: for a batch when it takes batches, else for one event.",
    "subscriber",
    "handler",
    bounds=SECONDS,
)
CRITICAL_TIME = Spread(
    "orderly_critical_time_seconds",
    "From when an event happened until its effects were committed, of the oldest event in each "
    "batch; without redrive, replay and fill.",
    "subscriber",
    bounds=WAITS,
)
LOSSES_PROVEN = Count(
    "orderly_losses_proven_total",
    "Deliveries that the stream provably lost and that reconcile made due.",
    "subscriber",
)
LOSSES_HEALED = Count(
    "orderly_losses_healed_total",
    "Deliveries that the stream had lost and whose effects are committed.",
    "subscriber",
)

DATABASE_UP = Level("orderly_database_up", "1 when the database answered this scrape, else 0.")
ENGINE_UP = Level("orderly_engine_up", "1 when the stream engine answered this scrape, else 0.")
OUTBOX_UNPUBLISHED = Level(
    "orderly_outbox_unpublished_events",
    "Committed events that wait for the relay; 10000 when there are more.",
)
OUTBOX_OLDEST = Level(
    "orderly_outbox_oldest_age_seconds", "Age of the oldest event that waits for the relay, or 0."
)
LAG = Level(
    "orderly_subscriber_lag_entries",
    "Entries not read yet for a subscriber, by our own positions where the engine lost count.",
    "subscriber",
)
PENDING = Level(
    "orderly_subscriber_pending_entries",
    "Entries that consumers of the subscriber read and have not acknowledged.",
    "subscriber",
)
SUBSCRIBER_OLDEST = Level(
    "orderly_subscriber_oldest_age_seconds",
    "Age of the oldest entry that a subscriber has not read or not acknowledged, or 0.",
    "subscriber",
)
DUE = Level(
    "orderly_subscriber_due_deliveries",
    "Deliveries that the database owes (retries, losses, redrives, replays); 10000 when there are "
    "more.",
    "subscriber",
)
DEAD_LETTERS = Level(
    "orderly_subscriber_dead_letters",
    "Deliveries that were given up and that nobody has redriven or discarded; 10000 when there are "
    "more.",
    "subscriber",
)
PAUSED = Level(
    "orderly_subscriber_paused", "1 while an operator has paused the subscriber.", "subscriber"
)
STREAM_LENGTH = Level("orderly_stream_entries", "Entries in a stream.", "stream")
STREAM_CAP = Level(
    "orderly_stream_cap_entries",
    "Entries at which a stream is full, so that new events wait in the database.",
    "stream",
)
LOOP_STATE = Level(
    "orderly_loop_state",
    "1 for the state that a loop of this process is in: running, waiting (for what it needs), "
    "stalled, blocked or dead; 0 for the others.",
    "loop",
    "state",
)
LOOP_BEAT = Level(
    "orderly_loop_heartbeat_age_seconds",
    "Seconds since a loop of this process last did a round.",
    "loop",
)

LOOP_STATES = ("running", "waiting", "stalled", "blocked", "dead")

CATALOGUE: tuple[Metric, ...] = tuple(
    one.metric
    for one in (
        *(RELAY_PUBLISHED, RELAY_PAGE, ATTEMPTS, HANDLER_DURATION, CRITICAL_TIME),
        *(LOSSES_PROVEN, LOSSES_HEALED, DATABASE_UP, ENGINE_UP, OUTBOX_UNPUBLISHED, OUTBOX_OLDEST),
        *(LAG, PENDING, SUBSCRIBER_OLDEST, DUE, DEAD_LETTERS, PAUSED, STREAM_LENGTH, STREAM_CAP),
        *(LOOP_STATE, LOOP_BEAT),
    )
)


def tables(groups: Iterable[tuple[str, Iterable[Metric]]]) -> str:
    """Return a Markdown table for each group of metrics, under its heading."""
    lines: list[str] = []
    for heading, metrics in groups:
        lines += [f"## {heading}", "", "| name | kind | labels | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | "
            f"{one.help} |"
            for one in metrics
        ]
        lines.append("")
    return "\n".join(lines)
