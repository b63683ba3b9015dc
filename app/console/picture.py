"""The picture of the flow: where each box and edge is, and what stands on it.

Two drawings of the same: wide for a desk, and tall for a phone. The templates only draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.console.headline import Flow, is_growing, stands_still
from app.console.words import NOTHING, number, rate, short_number, span

_OLD_S = 5.0
_VERY_OLD_S = 30.0
_FAST, _BRISK = 50.0, 5.0
_NARROW = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value with its name; href leads to the rows it counts."""

    name: str
    value: str
    tone: str = ""
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A station of the flow.

    note says what it is; state, in its place, what its tone colours.
    """

    id: str
    kind: str
    title: str
    note: str = ""
    state: str = ""
    tone: str = ""
    href: str | None = None
    figures: Sequence[Figure] = ()
    fill: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What flows from one box to another: a word for how fast, and one for what waits."""

    start: str
    end: str
    label: str = ""
    waits: str = ""
    tone: str = ""
    pace: str = "still"


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box and its rectangle; figures stand in so many columns."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    columns: int


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge, its path, and where its words stand; anchor is SVG's text-anchor."""

    edge: Edge
    path: str
    x: float
    y: float
    anchor: str = "middle"


@dataclass(slots=True)
class Drawing:
    """Everything placed, in a view box of this size."""

    width: float
    height: float = 0
    boxes: list[PlacedBox] = field(default_factory=list)
    edges: list[PlacedEdge] = field(default_factory=list)
    back: str = ""
    back_at: tuple[float, float] = (0, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """The stations of a flow in order, and what flows between them."""

    head: Sequence[Box]
    streams: Sequence[Box]
    subscribers: Sequence[Box]
    edges: Sequence[Edge]


def picture(flow: Flow) -> Picture:
    """Return what there is to draw of what `GET /v1/ops/flow` answered."""
    away = flow["engine"] is None
    subscribers = [_subscriber(one, away=away) for one in flow["subscribers"]]
    order = [context for one in flow["subscribers"] for context in one["streams"]]
    known = {one["context"]: one for one in flow["streams"]}
    contexts = [*dict.fromkeys([*order, *known])]
    return Picture(
        head=[_api(flow), _outbox(flow), _relay(flow, away=away)],
        streams=[_stream(context, known.get(context)) for context in contexts],
        subscribers=subscribers,
        edges=[*_first_edges(flow), *_stream_edges(contexts, known), *_reads(flow, away=away)],
    )


def _api(flow: Flow) -> Box:
    del flow  # that this page is answered says it
    return Box(
        id="api",
        kind="API",
        title="API",
        href="/console/orders",
        figures=[Figure(name="takes requests", value="ready")],
    )


def _outbox(flow: Flow) -> Box:
    outbox = flow["outbox"]
    age = outbox["oldest_age_s"] or 0
    tone = "bad" if age >= _VERY_OLD_S else "wait" if age >= _OLD_S or is_growing(flow) else ""
    capped = "+" if outbox["unpublished_capped"] else ""
    return Box(
        id="outbox",
        kind="Outbox",
        title="Outbox",
        note=flow["database"]["kind"],
        state="growing" if is_growing(flow) else "waits" if tone else "",
        tone=tone,
        figures=[
            Figure(
                name="unpublished", value=short_number(outbox["unpublished"]) + capped, tone=tone
            ),
            Figure(name="oldest", value=span(outbox["oldest_age_s"]), tone=tone),
        ],
    )


def _relay(flow: Flow, *, away: bool) -> Box:
    loop = next((one for one in flow["loops"] if one["name"] == "relay"), None)
    if away:
        state, tone = "waits", "bad"
    elif loop is None:
        state, tone = "elsewhere", ""
    else:
        state = loop["state"].replace("_", " ")
        tone = "" if loop["state"] == "running" else "bad"
    return Box(
        id="relay",
        kind="Relay",
        title="Relay",
        state=state,
        tone=tone,
        href="#loops",
        figures=[
            Figure(name="heartbeat", value=NOTHING if loop is None else _beat(loop["beat_age_s"]))
        ],
    )


def _beat(age_s: float) -> str:
    """Write the age of a heartbeat; a young one is not told to the millisecond, for calm."""
    return "steady" if age_s < _OLD_S else f"{span(age_s)} ago"


def _stream(context: str, known: Mapping[str, Any] | None) -> Box:
    if known is None:
        return Box(
            id=f"stream-{context}",
            kind="Stream",
            title=context,
            state="away",
            tone="bad",
            href="/console/streams",
            figures=[Figure(name="entries", value=NOTHING)],
        )
    full = bool(known["paused"])
    return Box(
        id=f"stream-{context}",
        kind="Stream",
        title=context,
        note="stream",
        state="full" if full else "",
        tone="wait" if full else "",
        href=f"/console/streams#stream-{context}",
        figures=[
            Figure(name="entries", value=short_number(known["length"])),
            Figure(name="cap", value=short_number(known["cap"])),
        ],
        fill=min(1.0, known["length"] / max(1, known["cap"])),
    )


def _subscriber(one: Mapping[str, Any], *, away: bool) -> Box:
    letters = f"/console/dead-letters?subscriber={one['name']}"
    state, tone = "", ""
    if one["paused"]:
        state, tone = "paused", "wait"
    elif away:
        state, tone = "waits", "bad"
    elif stands_still(one):
        state, tone = "stands still", "bad"
    elif one["held_back"]:
        state, tone = "held back", "wait"
    return Box(
        id=f"subscriber-{one['name']}",
        kind="Subscriber",
        title=one["name"],
        note="subscriber",
        state=state,
        tone=tone,
        href=f"/console/streams/{one['name']}",
        figures=[
            Figure(name="pending", value=short_number(one["pending"])),
            Figure(
                name="due",
                value=short_number(one["due"]) + ("+" if one["due_capped"] else ""),
                tone="wait" if one["due"] else "",
                href=f"{letters}&state=due" if one["due"] else None,
            ),
            Figure(
                name="dead letters",
                value=short_number(one["dead"]) + ("+" if one["dead_capped"] else ""),
                tone="bad" if one["dead"] else "",
                href=letters if one["dead"] else None,
            ),
            Figure(name="critical time", value=span(one["critical_time_s"])),
        ],
    )


def _first_edges(flow: Flow) -> list[Edge]:
    recorded, outbox = flow["intake"]["recorded_per_s"], flow["outbox"]
    return [
        Edge(start="api", end="outbox", label=rate(recorded), pace=_pace(recorded)),
        Edge(
            start="outbox",
            end="relay",
            label=rate(outbox["published_per_s"]),
            pace=_pace(outbox["published_per_s"]),
        ),
    ]


def _stream_edges(contexts: Sequence[str], known: Mapping[str, Mapping[str, Any]]) -> list[Edge]:
    edges = []
    for context in contexts:
        found = known.get(context)
        added = found["added_per_s"] if found else None
        edges.append(
            Edge(
                start="relay",
                end=f"stream-{context}",
                label="away" if found is None else "full" if found["paused"] else rate(added),
                tone="bad" if found is None else "wait" if found["paused"] else "",
                pace=_pace(added),
            )
        )
    return edges


def _reads(flow: Flow, *, away: bool) -> list[Edge]:
    edges = []
    for one in flow["subscribers"]:
        lag = one["lag"]
        is_behind = bool(lag) and (one["oldest_age_s"] or 0) >= _OLD_S
        tone = "bad" if away or stands_still(one) else "wait" if one["paused"] or is_behind else ""
        label = "away" if away else "paused" if one["paused"] else rate(one["handled_per_s"])
        # The figures are the subscriber's, whatever stream they come from: told once.
        for place, context in enumerate(one["streams"]):
            edges.append(
                Edge(
                    start=f"stream-{context}",
                    end=f"subscriber-{one['name']}",
                    label="" if place else label,
                    waits="" if place or away else f"lag {number(lag)}",
                    tone=tone,
                    pace="still" if one["paused"] else _pace(one["handled_per_s"]),
                )
            )
    return edges


def _pace(per_s: float | None) -> str:
    if not per_s:
        return "still"
    return "fast" if per_s >= _FAST else "brisk" if per_s >= _BRISK else "slow"
