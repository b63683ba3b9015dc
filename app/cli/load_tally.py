"""What became of every row of a load, counted."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.cli.shop_export import Cause, Correction, Export, Invoice

NOT_SENT = "not_sent"
REFUSED = "refused"
BOOKED = "booked"

PENDING = "pending"
RESERVED = "reserved"

MOST_CORRECTIONS = 500
"""How many lines the server takes in one adjustment."""


class Arrival(StrEnum):
    """How a thing came to be on the server."""

    POSTED = "posted"  #: by this run
    THERE = "already_there"  #: by an earlier run of the same file


@dataclass(slots=True)
class Fate:
    """What became of one invoice: `status` is the order's, or `refused`, or `not_sent`."""

    invoice: Invoice
    status: str = NOT_SENT
    arrival: Arrival | None = None
    order_id: str = ""
    code: str = ""
    detail: str = ""
    shortages: Sequence[Any] = ()
    settled_ms: float | None = None
    seen_late: bool = False

    @property
    def rows(self) -> int:
        """Rows of the file that this order stands for."""
        return len(self.invoice.lines)


@dataclass(slots=True)
class Paper:
    """Rows that correct stock together: `status` is `booked`, `refused` or `not_sent`.

    What comes in does so by invoice; what goes out, row by row, so that one row for which there is
    too little stock does not keep others back.
    """

    lines: Sequence[Correction]
    status: str = NOT_SENT
    arrival: Arrival | None = None
    code: str = ""
    detail: str = ""

    @property
    def cause(self) -> Cause:
        """Why the goods came or went."""
        return self.lines[0].cause

    @property
    def invoice(self) -> str:
        """The InvoiceNo of all its lines."""
        return self.lines[0].invoice

    @property
    def comes_in(self) -> bool:
        """True for more on hand, False for less."""
        return self.lines[0].delta > 0

    @property
    def rows(self) -> int:
        """Rows of the file that it stands for."""
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A product or a receipt that the server did not take."""

    what: str
    code: str
    detail: str


@dataclass(slots=True)
class Tally:
    """The count of one load.

    All rows are those in orders, in adjustments, skipped, refused and not sent.
    """

    file: Path
    url: str
    export: Export
    sweep_ms: int
    fates: list[Fate] = field(default_factory=list)
    papers: list[Paper] = field(default_factory=list)
    products: int = 0
    receipts: Counter[Arrival] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fates = [Fate(invoice) for invoice in self.export.invoices.values()]
        self.papers = list(_papers(self.export.corrections))

    def reference(self, name: object) -> str:
        """Return the unique name of one thing in one file: the same in every run."""
        return f"{self.export.digest[:16]}:{name}"

    def key(self, kind: str, name: object) -> str:
        """Return the Idempotency-Key of one thing in one file: the same in every run."""
        return hashlib.sha256(f"{self.export.digest}\n{kind}\n{name}".encode()).hexdigest()

    def standing(self, status: str) -> int:
        """Count the orders of this status."""
        return sum(fate.status == status for fate in self.fates)

    def rows(self) -> dict[str, int]:
        """Count the rows read and each of the five places where a row can be."""
        by_place = Counter(
            {
                "in_orders": 0,
                "in_adjustments": 0,
                "skipped": len(self.export.skipped),
                REFUSED: 0,
                NOT_SENT: 0,
            }
        )
        for fate in self.fates:
            by_place[fate.status if fate.status in {REFUSED, NOT_SENT} else "in_orders"] += (
                fate.rows
            )
        for paper in self.papers:
            by_place["in_adjustments" if paper.status == BOOKED else paper.status] += paper.rows
        return {"read": self.export.rows, **by_place}

    def counts(self) -> dict[str, int]:
        """Count the orders by how they arrived, and all of them by what became of them."""
        arrivals = Counter(fate.arrival for fate in self.fates)
        by_status = Counter(fate.status for fate in self.fates)
        return {arrival: arrivals[arrival] for arrival in Arrival} | by_status

    def adjustments(self) -> dict[str, int]:
        """Count the adjustments by how they arrived, and all of them by what became of them."""
        arrivals = Counter(paper.arrival for paper in self.papers)
        by_status = Counter(paper.status for paper in self.papers)
        return {arrival: arrivals[arrival] for arrival in Arrival} | by_status

    def settling(self) -> dict[str, Any]:
        """Percentiles from the first POST until the settled order was seen, with their limits."""
        times = sorted(fate.settled_ms for fate in self.fates if fate.settled_ms is not None)
        return {
            "orders": len(times),
            "p50_ms": percentile(times, 50),
            "p99_ms": percentile(times, 99),
            "seen_late": sum(fate.seen_late for fate in self.fates),
            "sweep_ms": self.sweep_ms,
        }


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Nearest rank: the least value that at least percent of all do not exceed; None of none."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 1)


def _papers(corrections: Sequence[Correction]) -> Iterator[Paper]:
    """Sort the corrections into papers: those that come in first, each group as in the file."""
    incoming: dict[tuple[str, Cause], list[Correction]] = {}
    for one in corrections:
        if one.delta > 0:
            incoming.setdefault((one.invoice, one.cause), []).append(one)
    for lines in incoming.values():
        for start in range(0, len(lines), MOST_CORRECTIONS):
            yield Paper(lines[start : start + MOST_CORRECTIONS])
    for one in corrections:
        if one.delta < 0:
            yield Paper([one])
