"""What the application counts beside the bus: requests, and what they commit together.

`python -m app.metrics` prints the tables that docs/metrics.md ends with.
"""

import sys

from prometheus_client import GCCollector, ProcessCollector

from app.bus import metrics as bus
from app.bus.metrics import REGISTRY, SECONDS, SIZES, Count, Level, Metric, Spread

# What the library knows to tell of any process: its CPU, memory, files and garbage.
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

REQUESTS = Count(
    "orderly_http_requests_total",
    "Requests, by the template of their route (unmatched when there is none), method and status "
    "(none when the client left before there was an answer).",
    "method",
    "route",
    "status",
)
REQUEST_DURATION = Spread(
    "orderly_http_request_duration_seconds",
    "How long requests took until their answer was sent to its end.",
    "method",
    "route",
    bounds=SECONDS,
)
TOGETHER = Spread(
    "orderly_group_commit_batch_items",
    "Items, such as orders, that requests had written in one transaction.",
    bounds=SIZES,
)
TOGETHER_WAIT = Spread(
    "orderly_group_commit_wait_seconds",
    "From when the first item of a transaction was asked for until it was answered.",
    bounds=SECONDS,
)
REFUSED = Count(
    "orderly_group_commit_refused_total", "Items that were refused because too many waited."
)
WAITING = Level("orderly_group_commit_waiting_items", "Items that wait for a transaction.")
WAITING_MOST = Level(
    "orderly_group_commit_waiting_limit_items", "Items that may wait before others are refused."
)
BUILD = Level("orderly_build_info", "1, with what runs as labels.", "version", "role", "database")

CATALOGUE: tuple[Metric, ...] = tuple(
    one.metric
    for one in (
        *(REQUESTS, REQUEST_DURATION, TOGETHER, TOGETHER_WAIT, REFUSED, WAITING, WAITING_MOST),
        BUILD,
    )
)


def tables() -> str:
    """Return what docs/metrics.md ends with: every metric there is."""
    return bus.tables([("The bus", bus.CATALOGUE), ("The application", CATALOGUE)])


if __name__ == "__main__":
    sys.stdout.write(tables())
