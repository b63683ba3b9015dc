"""A chain of events as a waterfall: rows of a table, with bars on a time axis that they share."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from app.console.axis import Axis, axis, lasting
from app.console.steps import Effect, Kind, Span, steps

_LEAST_WIDTH = 0.6


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that took time: what, from where to where in percent, and for how long."""

    kind: Kind
    at: float
    width: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the waterfall. `state` is an event's, a delivery's or an attempt's."""

    kind: Literal["event", "delivery", "attempt", "effect"]
    depth: int
    name: str
    state: str = ""
    note: str = ""
    event_id: str = ""
    subscriber: str = ""
    wait: str = ""
    run: str = ""
    at: str = ""
    bars: Sequence[Bar] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """What came of one request, or of whatever began the chain."""

    correlation_id: str
    began_at: str
    lasted: str
    settled: bool
    axis: Axis
    rows: Sequence[Row] = ()
    events: Sequence[Mapping[str, Any]] = ()


def waterfalls(
    chain: Mapping[str, Any], effects: Iterable[Effect], *, now: datetime | None = None
) -> list[Waterfall]:
    """Draw an answer of `/v1/ops/chains`: one waterfall per correlation id, the oldest first.

    What is under way lasts until now.
    """
    at = now or datetime.now(UTC)
    done: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        done[effect.event_id].append(effect)
    by_correlation: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for event in chain["events"]:
        by_correlation[event["correlation_id"]].append(event)
    drawn = [_waterfall(one, events, done, at) for one, events in by_correlation.items()]
    return sorted(drawn, key=lambda one: one.began_at)


def is_settled(chain: Mapping[str, Any]) -> bool:
    """Tell whether every event is published, and no delivery is waited for."""
    return all(
        event["published_at"] is not None
        and all(one["state"] not in {"due", "waiting"} for one in event["deliveries"])
        for event in chain["events"]
    )


def standing(chain: Mapping[str, Any]) -> str:
    """Say in a few words how a chain stands."""
    if not is_settled(chain):
        return "events are under way"
    dead = sum(one["state"] == "dead" for event in chain["events"] for one in event["deliveries"])
    if dead:
        return f"{dead} dead letter{'s' if dead > 1 else ''}"
    return "everything is done"


def _waterfall(
    correlation_id: str,
    events: Sequence[Mapping[str, Any]],
    effects: Mapping[str, Sequence[Effect]],
    now: datetime,
) -> Waterfall:
    lines = list(steps(events, effects, now))
    spans = [span for line in lines for span in line.spans]
    scale = axis(
        [moment for span in spans for moment in (span.start, span.end)],
        [(span.start, span.end) for span in spans if span.kind not in {"wait", "open"}],
    )
    return Waterfall(
        correlation_id=correlation_id,
        began_at=min(event["recorded_at"] for event in events),
        lasted=lasting((max(span.end for span in spans) - scale.start).total_seconds()),
        settled=is_settled({"events": events}),
        axis=scale,
        rows=[Row(**line.row, bars=[_bar(scale, one) for one in line.spans]) for line in lines],
        events=events,
    )


def _bar(scale: Axis, span: Span) -> Bar:
    left, right = scale.place(span.start), scale.place(span.end)
    wide = max(right - left, _LEAST_WIDTH)
    return Bar(span.kind, round(min(left, 100 - wide), 3), round(wide, 3), span.title)
