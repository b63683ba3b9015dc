"""What `doctor` found: one line each, with what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.text import Text


class Verdict(StrEnum):
    """What to make of a finding."""

    OK = "ok"
    WARNING = "warning"  #: it works, and may not as it should
    FAILED = "failed"  #: Orderly does not start, or does not keep its promises


_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}
_NAME_WIDTH = 18


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found there, and what to do when it is not well."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def body(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def ok(name: str, found: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(name, Verdict.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a finding to think about."""
    return Finding(name, Verdict.WARNING, found, remedy)


def failed(name: str, found: str, remedy: str) -> Finding:
    """Return a finding to mend before Orderly can do its work."""
    return Finding(name, Verdict.FAILED, found, remedy)


def show(findings: Iterable[Finding], out: Console) -> None:
    """Print findings; what to do stands below each that is not well."""
    for one in findings:
        shown = Text.assemble(
            (f"{one.verdict:<8} ", _STYLES[one.verdict]), (f"{one.name:<{_NAME_WIDTH}}", "bold")
        )
        out.print(shown + Text(one.found), soft_wrap=True)
        if one.remedy:
            out.print(Text(f"{'':9}→ {one.remedy}", "yellow"), soft_wrap=True)
