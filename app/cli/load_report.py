"""What became of every row of a load: counted for the terminal, with line numbers for a file."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli.shop_export import Export, Invoice

NOT_SENT = "not_sent"
PENDING = "pending"
REFUSED = "refused"


class Arrival(StrEnum):
    """How an order came to be on the server."""

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A product or a receipt that the server did not take."""

    what: str
    code: str
    detail: str


@dataclass(slots=True)
class Tally:
    """The count of one load; `in_orders + skipped + refused + not_sent` rows are all rows."""

    file: Path
    url: str
    export: Export
    poll_ms: int
    sweep_ms: int
    fates: list[Fate] = field(default_factory=list)
    products: int = 0
    receipts: Counter[Arrival] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fates = [Fate(invoice) for invoice in self.export.invoices.values()]

    @property
    def pending(self) -> int:
        """Orders that are on the server and not settled."""
        return sum(fate.status == PENDING for fate in self.fates)

    def rows(self) -> dict[str, int]:
        """Count the rows read and each of the four places where a row can be."""
        by_place = Counter(
            {"in_orders": 0, "skipped": len(self.export.skipped), REFUSED: 0, NOT_SENT: 0}
        )
        for fate in self.fates:
            place = fate.status if fate.status in {REFUSED, NOT_SENT} else "in_orders"
            by_place[place] += fate.rows
        return {"read": self.export.rows, **by_place}

    def counts(self) -> dict[str, int]:
        """Count the orders by how they arrived, and all of them by what became of them."""
        arrivals = Counter(fate.arrival for fate in self.fates)
        by_status = Counter(fate.status for fate in self.fates)
        return {arrival: arrivals[arrival] for arrival in Arrival} | by_status

    def settling(self) -> dict[str, Any]:
        """Percentiles from the first POST until the settled order was seen, with their limits."""
        times = sorted(fate.settled_ms for fate in self.fates if fate.settled_ms is not None)
        return {
            "orders": len(times),
            "p50_ms": percentile(times, 50),
            "p99_ms": percentile(times, 99),
            "poll_ms": self.poll_ms,
            "seen_late": sum(fate.seen_late for fate in self.fates),
            "sweep_ms": self.sweep_ms,
        }

    def report(self) -> dict[str, Any]:
        """Return everything, with line numbers, as it goes into the report file."""
        skipped: dict[str, dict[str, Any]] = {}
        for skip in self.export.skipped:
            entry = skipped.setdefault(skip.reason, {"rows": 0, "lines": []})
            entry["rows"] += 1
            entry["lines"].append(skip.at)
            if skip.column:
                entry.setdefault("columns", {}).setdefault(skip.column, []).append(skip.at)
        orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for fate in self.fates:
            orders[fate.status].append(_fate_as_json(fate))
        return {
            "file": str(self.file),
            "sha256": self.export.digest,
            "encoding": self.export.encoding,
            "url": self.url,
            "rows": self.rows(),
            "counts": self.counts(),
            "skipped": skipped,
            "products": {"registered": self.products},
            "receipts": {arrival: self.receipts[arrival] for arrival in Arrival},
            "not_taken": [
                {"what": refusal.what, "code": refusal.code, "detail": refusal.detail}
                for refusal in self.refusals
            ],
            "settling": self.settling(),
            "orders": orders,
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON; raises OSError."""
        path.write_text(json.dumps(self.report(), indent=1) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """Print the table and the two lines below it."""
        table = Table(title=f"{self.file.name} ({self.export.encoding}) to {self.url}")
        table.add_column("")
        table.add_column("orders", justify="right")
        table.add_column("rows", justify="right")
        for arrival in Arrival:
            _add(table, _words(arrival), [f for f in self.fates if f.arrival is arrival])
        table.add_section()
        for label, fates in self._by_outcome():
            _add(table, label, fates)
        table.add_section()
        for reason, count in Counter(skip.reason for skip in self.export.skipped).most_common():
            table.add_row(f"skipped: {_words(reason)}", "", str(count))
        for what, count in _codes(self.refusals, lambda r: f"{r.what.split()[0]}: {r.code}"):
            table.add_row(f"{what} ({count})", "", "")
        console.print(table)
        console.print(self._rows_sentence(), soft_wrap=True)
        console.print(self._settling_sentence(), soft_wrap=True)

    def _by_outcome(self) -> list[tuple[str, list[Fate]]]:
        """Group the fates: the outcomes everybody asks for first, then whatever else there is."""
        groups: dict[str, list[Fate]] = {
            "confirmed": [],
            "rejected": [],
            REFUSED: [],
            PENDING: [],
        }
        for fate in self.fates:
            groups.setdefault(fate.status, []).append(fate)
        refused = groups[REFUSED]
        named = []
        for status, fates in groups.items():
            if status != REFUSED or not refused:
                named.append((_words(status), fates))
                continue
            for code, _ in _codes(refused, lambda fate: fate.code):
                named.append((f"refused: {code}", [fate for fate in refused if fate.code == code]))
        return named

    def _rows_sentence(self) -> str:
        rows = self.rows()
        parts = [
            f"{rows['in_orders']} in orders",
            f"{rows['skipped']} skipped",
            f"{rows[REFUSED]} refused",
        ]
        if rows[NOT_SENT]:
            parts.append(f"{rows[NOT_SENT]} not sent or not answered")
        return f"{rows['read']} rows read = {' + '.join(parts)}"

    def _settling_sentence(self) -> str:
        times = self.settling()
        if not times["orders"]:
            return "POST to settled: not measured, because no order of this run settled"
        late = (
            f"; {times['seen_late']} seen late, looked for every {times['sweep_ms']} ms"
            if times["seen_late"]
            else ""
        )
        return (
            f"POST to settled: p50 {times['p50_ms']:.0f} ms, p99 {times['p99_ms']:.0f} ms over "
            f"{times['orders']} orders, seen within {times['poll_ms']} ms or 10 %{late}"
        )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Nearest rank: the least value that at least percent of all do not exceed; None of none."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 1)


def _fate_as_json(fate: Fate) -> dict[str, Any]:
    told: dict[str, Any] = {
        "invoice": fate.invoice.number,
        "order_id": fate.order_id,
        "arrival": fate.arrival,
        "code": fate.code,
        "detail": fate.detail,
        "shortages": list(fate.shortages),
        "settled_ms": fate.settled_ms,
        "lines": [line.at for line in fate.invoice.lines],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def _add(table: Table, label: str, fates: Sequence[Fate]) -> None:
    table.add_row(label, str(len(fates)), str(sum(fate.rows for fate in fates)))


def _codes(things: Iterable[Any], name: Callable[[Any], str]) -> list[tuple[str, int]]:
    return Counter(map(name, things)).most_common()


def _words(code: str) -> str:
    return "not sent or not answered" if code == NOT_SENT else code.replace("_", " ")
