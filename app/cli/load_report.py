"""A load's tally as a table for the terminal, and with line numbers as JSON for a file."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli.load_tally import BOOKED, NOT_SENT, PENDING, REFUSED, Arrival, Fate, Paper, Tally


def report(tally: Tally) -> dict[str, Any]:
    """Return everything, with line numbers, as it goes into the report file."""
    skipped: dict[str, dict[str, Any]] = {}
    for skip in tally.export.skipped:
        entry = skipped.setdefault(skip.reason, {"rows": 0, "lines": []})
        entry["rows"] += 1
        entry["lines"].append(skip.at)
        if skip.column:
            entry.setdefault("columns", {}).setdefault(skip.column, []).append(skip.at)
    orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fate in tally.fates:
        orders[fate.status].append(_fate_as_json(fate))
    adjustments: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for paper in tally.papers:
        adjustments[paper.status].append(_paper_as_json(paper))
    return {
        "file": str(tally.file),
        "sha256": tally.export.digest,
        "encoding": tally.export.encoding,
        "url": tally.url,
        "rows": tally.rows(),
        "counts": tally.counts(),
        "adjusted": tally.adjustments(),
        "skipped": skipped,
        "products": {"registered": tally.products},
        "receipts": {arrival: tally.receipts[arrival] for arrival in Arrival},
        "not_taken": [
            {"what": refusal.what, "code": refusal.code, "detail": refusal.detail}
            for refusal in tally.refusals
        ],
        "settling": tally.settling(),
        "orders": orders,
        "adjustments": adjustments,
    }


def write(tally: Tally, path: Path) -> None:
    """Write the report as JSON; raises OSError."""
    path.write_text(json.dumps(report(tally), indent=1) + "\n", encoding="utf-8")


def show(tally: Tally, console: Console) -> None:
    """Print the table and the two lines below it."""
    table = Table(title=f"{tally.file.name} ({tally.export.encoding}) to {tally.url}")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("rows", justify="right")
    for arrival in Arrival:
        fates = [fate for fate in tally.fates if fate.arrival is arrival]
        _add(table, f"orders {_words(arrival)}", fates)
    table.add_section()
    for label, fates in _by_outcome(tally.fates):
        _add(table, label, fates)
    if tally.papers:
        table.add_section()
    for label in dict.fromkeys(map(_paper_label, tally.papers)):
        _add(table, label, [paper for paper in tally.papers if _paper_label(paper) == label])
    table.add_section()
    for reason, count in Counter(skip.reason for skip in tally.export.skipped).most_common():
        table.add_row(f"skipped: {_words(reason)}", "", str(count))
    for what, count in _codes(tally.refusals, lambda r: f"{r.what.split()[0]}: {r.code}"):
        table.add_row(f"{what} ({count})", "", "")
    console.print(table)
    console.print(_rows_sentence(tally), soft_wrap=True)
    console.print(_settling_sentence(tally), soft_wrap=True)


def _by_outcome(fates: Sequence[Fate]) -> list[tuple[str, list[Fate]]]:
    """Group the fates: the outcomes everybody asks for first, then whatever else there is."""
    groups: dict[str, list[Fate]] = {"confirmed": [], "rejected": [], REFUSED: [], PENDING: []}
    for fate in fates:
        groups.setdefault(fate.status, []).append(fate)
    refused = groups[REFUSED]
    named = []
    for status, group in groups.items():
        if status != REFUSED or not refused:
            named.append((_words(status), group))
            continue
        for code, _ in _codes(refused, lambda fate: fate.code):
            named.append((f"refused: {code}", [fate for fate in refused if fate.code == code]))
    return named


def _paper_label(paper: Paper) -> str:
    label = f"adjusted: {_words(paper.cause)}"
    if paper.status == BOOKED:
        return label
    return f"{label}, {paper.code if paper.status == REFUSED else _words(paper.status)}"


def _rows_sentence(tally: Tally) -> str:
    rows = tally.rows()
    parts = [
        f"{rows['in_orders']} in orders",
        f"{rows['in_adjustments']} in adjustments",
        f"{rows['skipped']} skipped",
        f"{rows[REFUSED]} refused",
    ]
    if rows[NOT_SENT]:
        parts.append(f"{rows[NOT_SENT]} not sent or not answered")
    return f"{rows['read']} rows read = {' + '.join(parts)}"


def _settling_sentence(tally: Tally) -> str:
    times = tally.settling()
    if not times["orders"]:
        return "POST to settled: not measured, because no order of this run settled"
    late = (
        f"; {times['seen_late']} seen late, looked for every {times['sweep_ms']} ms"
        if times["seen_late"]
        else ""
    )
    return (
        f"POST to settled: p50 {times['p50_ms']:.0f} ms, p99 {times['p99_ms']:.0f} ms over "
        f"{times['orders']} orders{late}"
    )


def _fate_as_json(fate: Fate) -> dict[str, Any]:
    return _told(
        invoice=fate.invoice.number,
        order_id=fate.order_id,
        arrival=fate.arrival,
        code=fate.code,
        detail=fate.detail,
        shortages=list(fate.shortages),
        settled_ms=fate.settled_ms,
        lines=[line.at for line in fate.invoice.lines],
    )


def _paper_as_json(paper: Paper) -> dict[str, Any]:
    return _told(
        invoice=paper.invoice,
        cause=paper.cause,
        arrival=paper.arrival,
        code=paper.code,
        detail=paper.detail,
        lines=[line.at for line in paper.lines],
    )


def _told(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _add(table: Table, label: str, things: Sequence[Fate] | Sequence[Paper]) -> None:
    table.add_row(label, str(len(things)), str(sum(thing.rows for thing in things)))


def _codes(things: Iterable[Any], name: Callable[[Any], str]) -> list[tuple[str, int]]:
    return Counter(map(name, things)).most_common()


def _words(code: str) -> str:
    return "not sent or not answered" if code == NOT_SENT else code.replace("_", " ")
