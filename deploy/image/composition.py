"""compose.yaml as Compose reads it, as far as ours uses the language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # stubs are a package of their own

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<text>[^}]*))?\}")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class CompositionError(Exception):
    """Compose would refuse to start this; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service, with every variable filled in."""

    name: str
    values: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """The words that replace the image's CMD; none when it is kept."""
        return list(self.values.get("command", ()))

    @property
    def environment(self) -> dict[str, str]:
        """What is set inside."""
        return {name: str(value) for name, value in self.values.get("environment", {}).items()}

    @property
    def depends_on(self) -> dict[str, str]:
        """The services that have to be there first, and in which condition."""
        return {name: each["condition"] for name, each in self.values.get("depends_on", {}).items()}

    @property
    def replicas(self) -> int:
        """How many containers of it there are."""
        return int(self.values.get("deploy", {}).get("replicas", 1))

    @property
    def stop_grace_s(self) -> float:
        """Seconds between the stop signal and the kill."""
        return seconds(self.values.get("stop_grace_period", "10s"))


def read(path: Path, environment: Mapping[str, str]) -> dict[str, Service]:
    """Return the services of a file in the order in which they can start.

    Raises CompositionError when the environment lacks a variable that the file asks for.
    """
    services = yaml.safe_load(path.read_text())["services"]
    filled = {name: Service(name, _filled(each, environment)) for name, each in services.items()}
    needs = {name: set(each.depends_on) for name, each in filled.items()}
    return {name: filled[name] for name in TopologicalSorter(needs).static_order()}


def _filled(value: Any, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, dict):
        return {name: _filled(each, environment) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        there = environment.get(found["name"])
        if there:
            return there
        if found["kind"] == "?":
            raise CompositionError(f"{found['name']}: {found['text']}")
        return found["text"] or ""

    return _VARIABLE.sub(fill, value)


def seconds(period: str) -> float:
    """Return a period such as 1m30s in seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", period)
    if not parts or "".join(number + unit for number, unit in parts) != period:
        raise CompositionError(f"{period!r} is no period.")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
