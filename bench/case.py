"""A case: what is measured, under which name, and how much of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.figure import Figure
from bench.servers import Servers


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a run measures. `quick` is for seeing that it all works: its figures say little."""

    quick: bool = False

    def seconds(self, full: float) -> float:
        """Return for how long to load a server that a full run loads for so long."""
        return min(full, 0.6) if self.quick else full

    def count(self, full: int, quick: int | None = None) -> int:
        """Return how many units to do where a full run does so many."""
        return (quick if quick is not None else max(20, full // 20)) if self.quick else full


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of a table, or several: run returns a figure for each, by what tells them apart.

    `ours` are the rows a reader looks for; `once` cases are run in the first round only, because
    they take long.
    """

    group: str
    name: str
    unit: str
    run: Callable[[Servers, Effort], Mapping[str, Figure]]
    ours: bool = False
    once: bool = False
