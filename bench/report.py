"""What a run found: as tables for people and for Markdown, and as JSON to keep."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench.case import Case
from bench.figure import Figure, median_of
from bench.machine import in_a_sentence
from bench.reach import goals

FOLDER = Path(__file__).parent / "results"

Row = tuple[str, str]
"""A case and what tells its figures apart."""


class Results:
    """The figures of a run: by group and row, a dict of numbers per round."""

    def __init__(self, machine: dict[str, Any], *, quick: bool) -> None:
        self.machine = machine
        self.quick = quick
        self.at = datetime.now(UTC)
        self.rounds: dict[str, dict[Row, list[dict[str, float]]]] = {}
        self.units: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}

    def add(self, case: Case, figures: Mapping[str, Figure]) -> None:
        """Record one round of a case."""
        self.units[case.group] = case.unit
        group = self.rounds.setdefault(case.group, {})
        for variant, figure in figures.items():
            group.setdefault((case.name, variant), []).append(figure.numbers())
            if figure.notes:
                self.notes[f"{case.group}: {_head(case.name, variant)}"] = figure.notes

    def failed(self, case: Case, why: str) -> None:
        """Record that a case could not be measured."""
        self.failures[f"{case.group}: {case.name}"] = why[-1000:]

    def medians(self) -> dict[str, dict[Row, dict[str, float]]]:
        """Return the medians of each group's rows, those of one variant together."""
        found: dict[str, dict[Row, dict[str, float]]] = {}
        for group, rows in self.rounds.items():
            variants = list(dict.fromkeys(variant for _, variant in rows))
            ordered = sorted(rows, key=lambda row: variants.index(row[1]))
            found[group] = {row: median_of(rows[row]) for row in ordered}
        return found

    def tables(self) -> Iterator[tuple[Sequence[str], list[Sequence[str]]]]:
        """Yield each table: its heads, and its rows."""
        medians = self.medians()
        reached = [row for goal in goals() if (row := goal.row(medians))]
        if reached:
            yield ("goal", "wanted", "found", "reached"), list(reached)
        for group, rows in medians.items():
            names = list(dict.fromkeys(name for row in rows.values() for name in row))
            if names:
                yield (
                    (f"{group}, per {self.units[group]}", *names),
                    [
                        (_head(*row), *(_cell(found.get(name)) for name in names))
                        for row, found in rows.items()
                    ],
                )
        if self.notes:
            yield (
                ("profile", "shares"),
                [(name, ", ".join(notes)) for name, notes in self.notes.items()],
            )
        if self.failures:
            yield (
                ("failed", "why"),
                [(name, why.splitlines()[0]) for name, why in self.failures.items()],
            )

    def plain(self) -> str:
        """Return every table for a terminal."""
        lines = []
        for heads, rows in self.tables():
            widths = [max(len(row[place]) for row in (heads, *rows)) for place in range(len(heads))]
            lines.append("")
            for row in (heads, *rows):
                first, *others = zip(row, widths, strict=True)
                cells = "".join(f"  {text:>{width}}" for text, width in others)
                lines.append(f"{first[0]:<{first[1]}}{cells}")
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the same as Markdown, with the machine above."""
        counts = [len(each) for rows in self.rounds.values() for each in rows.values()]
        measured = (
            "one round" if max(counts, default=1) == 1 else f"medians of {max(counts)} rounds"
        )
        kind = "a quick run, for form only" if self.quick else measured
        lines = [f"{self.at:%d %B %Y}, {kind}, on {in_a_sentence(self.machine)}."]
        for heads, rows in self.tables():
            lines += ["", _line(heads), "|" + "---|" * len(heads), *map(_line, rows)]
        packages = self.machine["packages"]
        lines += ["", ", ".join(f"{name} {version}" for name, version in packages.items()) + "."]
        return "\n".join(lines)

    def save(self, *, part: bool = False) -> Path:
        """Write everything as JSON into bench/results/ and return the file.

        A part of a run is called so, and is never `latest`.
        """
        FOLDER.mkdir(exist_ok=True)
        kind = "quick" if self.quick else "part" if part else "run"
        path = FOLDER / f"{self.at:%Y-%m-%d-%H%M}-{kind}.json"
        groups = {
            group: {
                "unit": self.units[group],
                "rows": [
                    {"case": case, "variant": variant, "rounds": rounds}
                    for (case, variant), rounds in rows.items()
                ],
            }
            for group, rows in self.rounds.items()
        }
        kept = {
            "at": self.at.isoformat(timespec="seconds"),
            "quick": self.quick,
            "machine": self.machine,
            "groups": groups,
            "notes": self.notes,
            "failures": self.failures,
        }
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads(path.read_text())
        results = cls(kept["machine"], quick=kept["quick"])
        results.at = datetime.fromisoformat(kept["at"])
        results.notes, results.failures = kept["notes"], kept["failures"]
        for name, group in kept["groups"].items():
            results.units[name] = group["unit"]
            results.rounds[name] = {
                (row["case"], row["variant"]): row["rounds"] for row in group["rows"]
            }
        return results


def latest() -> Path | None:
    """Return the last run of everything that was kept."""
    return max(FOLDER.glob("*-run.json"), default=None)


def last_with(groups: AbstractSet[str]) -> Path:
    """Return the last kept run with these groups, no quick one; FileNotFoundError if none."""
    for path in sorted(FOLDER.glob("*.json"), reverse=True):
        results = Results.load(path)
        if not results.quick and set(results.rounds) >= groups:
            return path
    msg = f"no run with {' and '.join(sorted(groups))} is kept: `dev.py bench` keeps one"
    raise FileNotFoundError(msg)


def put_into(page: str, figures: str) -> str:
    """Return a page with these between its marks; raises ValueError when it has none."""
    before, begin, rest = page.partition("<!-- figures -->")
    _, end, after = rest.partition("<!-- end of figures -->")
    if not end:
        msg = "the page has no <!-- figures -->"
        raise ValueError(msg)
    return f"{before}{begin}\n{figures}\n{end}{after}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(case: str, variant: str) -> str:
    return f"{case}, {variant}" if variant else case


def _cell(number: float | None) -> str:
    if number is None:
        return "–"
    digits = 0 if abs(number) >= 100 or number == 0 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"
