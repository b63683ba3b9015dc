"""The catalogue, its page, the alerts and the dashboard name the same metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # stubs are a package of their own

from app import metrics as ours
from app.bus import metrics as bus
from app.bus.metrics import Metric

ROOT = Path(__file__).parents[1]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "orderly.json"
CATALOGUE = {one.name: one for one in (*bus.CATALOGUE, *ours.CATALOGUE)}

# Of the library's own collectors, and of Prometheus itself.
_OF_OTHERS = {
    "process_cpu_seconds_total": set[str](),
    "process_resident_memory_bytes": set[str](),
    "process_open_fds": set[str](),
    "python_gc_collections_total": {"generation"},
    "up": set[str](),
}
_OF_THE_SCRAPE = {"job", "instance"}
_UNITS = ("_seconds", "_total", "_events", "_entries", "_items", "_deliveries", "_letters")
_NUMBERS_OF_NOTHING = ("_up", "_info", "_state", "_paused")


def test_the_page_ends_with_the_catalogue() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()

    assert page.endswith("\n\n" + ours.tables())


@pytest.mark.parametrize("metric", list(CATALOGUE.values()), ids=list(CATALOGUE))
def test_a_name_follows_the_rules_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"orderly_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith((*_UNITS, *_NUMBERS_OF_NOTHING))
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not metric.name.endswith(("_count", "_sum", "_bucket"))
    assert metric.help.endswith(".")
    assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)
    assert not {"id", "path", "event_id", "key", "instance", "job"}.intersection(metric.labels)


def test_no_name_is_given_twice() -> None:
    assert len(CATALOGUE) == len(bus.CATALOGUE) + len(ours.CATALOGUE)


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Yield every query, with the name of what asks it."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for number, target in enumerate(panel.get("targets", ())):
            yield f"{panel['title']} {number}", target["expr"]


def parsed(query: str) -> promql_parser.Expr:
    # Grafana fills it in before Prometheus sees it.
    return promql_parser.parse(query.replace("$__rate_interval", "5m"))


def selectors(node: Any) -> Iterator[Any]:  # noqa: ANN401 - the parser's classes have no common base
    """Yield every selector of series below a node."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector", "param"):
        below = getattr(node, name, None)
        for one in below if isinstance(below, list) else [below]:
            if one is not None:
                yield from selectors(one)


def labels_known(name: str) -> set[str] | None:
    """Return the labels that a series of this name has; None when nobody has such a series."""
    if name in _OF_OTHERS:
        return _OF_OTHERS[name] | _OF_THE_SCRAPE
    metric = CATALOGUE.get(name)
    if metric is not None and metric.kind != "histogram":
        return {*metric.labels, *_OF_THE_SCRAPE}
    base, _, part = name.rpartition("_")
    metric = CATALOGUE.get(base)
    if metric is None or metric.kind != "histogram" or part not in {"bucket", "sum", "count"}:
        return None
    return {*metric.labels, *_OF_THE_SCRAPE} | ({"le"} if part == "bucket" else set())


def complaints(query: str) -> list[str]:
    """Return what a query asks for that nobody has."""
    found = []
    known: set[str] = set()
    for selector in selectors(parsed(query)):
        labels = labels_known(selector.name)
        if labels is None:
            found.append(f"no metric {selector.name}")
            continue
        known |= labels
        matched = {matcher.name for matcher in selector.matchers.matchers}
        found += [f"no label {one} of {selector.name}" for one in sorted(matched - labels)]
    grouped = {
        label.strip()
        for names in re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", query)
        for label in names.split(",")
    }
    return found + [f"no label {one}" for one in sorted(grouped - known)]


@pytest.mark.parametrize(("name", "query"), list(queries()), ids=lambda value: str(value)[:40])
def test_a_query_asks_for_what_there_is(name: str, query: str) -> None:
    assert not complaints(query), name


@pytest.mark.parametrize(
    "query",
    [
        "orderly_nonsense > 1",
        "sum(rate(orderly_http_requests_total{colour='red'}[5m]))",
        "max by (colour) (orderly_subscriber_paused)",
        "rate(orderly_handler_duration_seconds[5m])",
        "1 + (2 * max(orderly_nonsense))",
    ],
)
def test_a_query_for_what_there_is_not_is_noticed(query: str) -> None:
    assert complaints(query)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    runbook = (ROOT / "docs" / "operations.md").read_text()
    anchor = rule["alert"].lower()
    section = runbook.partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]

    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{anchor}"
    assert "**Means:**" in section
    assert "**Do:**" in section
    assert rule["labels"]["severity"] in {"critical", "warning"}
    for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
        assert re.search(rf"\b{label}\b", rule["expr"]) or label in _OF_THE_SCRAPE


def test_every_metric_of_an_alert_or_the_dashboard_is_of_use_to_somebody() -> None:
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", selector.name)
        for _, query in queries()
        for selector in selectors(parsed(query))
    }

    assert not CATALOGUE.keys() - asked


def test_the_dashboard_can_be_imported() -> None:
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    places = [
        (x, y)
        for panel in board["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    sources = {
        target["datasource"]["uid"]
        for panel in board["panels"]
        for target in panel.get("targets", ())
    }

    assert "id" not in board
    assert board["uid"] == "orderly"
    assert len(set(ids)) == len(ids)
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24
    assert sources == {"${datasource}"}
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "job"}
