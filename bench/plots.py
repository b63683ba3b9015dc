"""The plots of docs/performance.md, as SVG written by hand: a few bars need no library."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from bench.reach import APP, Medians

FOLDER = Path(__file__).parents[1] / "docs/plots"

_WIDTH, _LEFT, _BAR, _GAP, _TOP = 800, 340, 20, 8, 48
_OURS, _OTHERS = "#2563eb", "#94a3b8"


def write(medians: Medians) -> list[Path]:
    """Write a plot of each group that was measured, and return the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = []
    for name, title, rows in _plots(medians):
        if rows:
            path = FOLDER / f"{name}.svg"
            path.write_text(bars(title, rows))
            written.append(path)
    return written


def _plots(medians: Medians) -> list[tuple[str, str, Mapping[str, float]]]:
    cpu = "application CPU, microseconds per"
    waits = {
        f"{case.partition(', ')[2]}, {rate}, {number[:3]}": row[number]
        for (case, rate), row in medians.get("latency", {}).items()
        for number in ("p50 ms", "p99 ms")
        if number in row
    }
    return [
        ("intake", f"Intake at 32 connections: {cpu} order", _of(medians, "intake", "c32")),
        ("relay", f"Relay: {cpu} event", _of(medians, "relay", "")),
        ("pipeline", f"Handling one order: {cpu} order", _pipeline(medians)),
        ("latency", "POST to confirmed, milliseconds", waits),
        ("history", "A look at the outbox, milliseconds", _of(medians, "history", None, "ms")),
        ("growth", f"Whole way: {cpu} order", _of(medians, "growth", "")),
    ]


def _of(medians: Medians, group: str, variant: str | None, number: str = APP) -> dict[str, float]:
    return {
        case if variant is not None else found: row[number]
        for (case, found), row in medians.get(group, {}).items()
        if variant in {None, found} and number in row
    }


def _pipeline(medians: Medians) -> dict[str, float]:
    parts = medians.get("our parts", {})
    ours = {
        f"ours, {part}": row[APP]
        for (where, part), row in parts.items()
        if where == "PostgreSQL" and part in {"inventory decides", "orders settles"}
    }
    return ours | _of(medians, "pipeline", "")


def bars(title: str, rows: Mapping[str, float]) -> str:
    """Return horizontal bars on a logarithmic scale; those of ours are blue, or all of them."""
    height = _TOP + len(rows) * (_BAR + _GAP) + 12
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">',
        "<style>text { font: 13px sans-serif } .title { font: bold 15px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" class="title">{escape(title)} (logarithmic)</text>',
    ]
    has_others = any(name.startswith("ours") for name in rows)
    scale = _Scale(list(rows.values()))
    for place, (name, value) in enumerate(rows.items()):
        top = _TOP + place * (_BAR + _GAP)
        length = scale(value)
        fill = _OTHERS if has_others and not name.startswith("ours") else _OURS
        box = f'x="{_LEFT}" y="{top}" width="{length:.0f}" height="{_BAR}"'
        drawn += [
            f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect {box} fill="{fill}"/>',
            f'<text x="{_LEFT + length + 6:.0f}" y="{top + 15}">{value:,.4g}</text>',
        ]
    return "\n".join([*drawn, "</svg>"]) + "\n"


class _Scale:
    """From a value to the length of its bar; the smallest still has one."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self._low = math.log10(min(positive)) - 0.3
        self._span = math.log10(max(positive)) - self._low or 1.0

    def __call__(self, value: float) -> float:
        """Return the length, in the units of the drawing."""
        if value <= 0:
            return 1.0
        return (_WIDTH - _LEFT - 90) * (math.log10(value) - self._low) / self._span
