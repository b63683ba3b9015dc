"""What a chain of events consists of, step by step: events, deliveries, attempts and effects."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from app.console.axis import lasting

_MS_OF_ID = 80
_WITH_TIME = 7
_LATEST_REQUEST_S = 30.0

Kind: TypeAlias = Literal["request", "outbox", "wait", "run", "failed", "open"]
"""What took time: a request up to its commit, the outbox, waiting, and handlers."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event did in a module, in words."""

    event_id: str
    module: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time."""

    kind: Kind
    start: datetime
    end: datetime
    title: str


@dataclass(slots=True)
class Step:
    """A row of the waterfall that waits for the axis, and what took time in it."""

    row: dict[str, Any]
    spans: list[Span] = field(default_factory=list)


def steps(
    events: Sequence[Mapping[str, Any]], effects: Mapping[str, Sequence[Effect]], now: datetime
) -> Iterator[Step]:
    """Yield the events in the order of their causes, each followed by what it led to.

    What is under way lasts until now.
    """
    known = {event["id"] for event in events}
    caused: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        cause = event["causation_id"]
        caused[cause if cause in known else None].append(event)
    drawn: set[str] = set()
    # Those that no root leads to come last; there are none, unless somebody made ids up.
    for root in (*caused[None], *events):
        # Not by recursion: a chain can be two hundred events deep.
        waiting: list[tuple[int, Mapping[str, Any] | Step]] = [(0, root)]
        while waiting:
            depth, one = waiting.pop()
            if isinstance(one, Step):
                yield one
            elif one["id"] not in drawn:
                drawn.add(one["id"])
                yield _event(one, depth, now)
                waiting.extend(
                    reversed(_what_followed(one, depth, caused[one["id"]], effects, now))
                )


def _what_followed(
    event: Mapping[str, Any],
    depth: int,
    next_events: Sequence[Mapping[str, Any]],
    effects: Mapping[str, Sequence[Effect]],
    now: datetime,
) -> list[tuple[int, Mapping[str, Any] | Step]]:
    """Return the deliveries of an event, each before what its subscriber did and published."""
    following: list[tuple[int, Mapping[str, Any] | Step]] = []
    effects_left, events_left = list(effects.get(event["id"], ())), list(next_events)
    is_only = len(event["deliveries"]) == 1
    for delivery in event["deliveries"]:
        following.extend((0, line) for line in _delivery(event, delivery, depth + 1, now))
        module = delivery["subscriber"].partition("-")[0]
        handled = delivery["state"] == "handled"
        done = [one for one in effects_left if handled and (is_only or one.module == module)]
        published = [
            one for one in events_left if _told_of(one, delivery) or (handled and is_only)
        ] or [one for one in events_left if handled and _module(one) == module]
        following.extend((0, _effect(one, depth + 2)) for one in done)
        following.extend((depth + 2, one) for one in published)
        effects_left = [one for one in effects_left if one not in done]
        events_left = [one for one in events_left if one not in published]
    following.extend((0, _effect(one, depth + 1)) for one in effects_left)
    following.extend((depth + 1, one) for one in events_left)
    return following


def _told_of(event: Mapping[str, Any], delivery: Mapping[str, Any]) -> bool:
    """Tell whether an event says that its cause was given up by this delivery's subscriber."""
    given_up = delivery["state"] in {"dead", "discarded", "due"}
    return (
        given_up
        and _module(event) == "dead_letters"
        and (event["data"].get("subscriber") == delivery["subscriber"])
    )


def _module(event: Mapping[str, Any]) -> str:
    """Return the module that publishes such events; its subscriber has its name."""
    return str(event["type"].partition(".")[0])


def _event(event: Mapping[str, Any], depth: int, now: datetime) -> Step:
    recorded = datetime.fromisoformat(event["recorded_at"])
    published = _moment(event["published_at"])
    row = {
        "kind": "event",
        "depth": depth,
        "name": event["type"],
        "state": "unpublished" if published is None else "published",
        "event_id": event["id"],
        "at": event["recorded_at"],
        "wait": lasting(max(0.0, ((published or now) - recorded).total_seconds())),
    }
    end = max(published or now, recorded)
    took = lasting((end - recorded).total_seconds())
    title = f"committed, then {took} in the outbox until it was on the stream"
    if published is None:
        title = f"committed, and in the outbox for {took} by now"
    spans = [Span("open" if published is None else "outbox", recorded, end, title)]
    made = None if event["causation_id"] else _made_at(event)
    if made is not None and 0 < (recorded - made).total_seconds() < _LATEST_REQUEST_S:
        took = lasting((recorded - made).total_seconds())
        spans.insert(0, Span("request", made, recorded, f"request to commit: {took}"))
        row["run"] = took
    return Step(row, spans)


def _made_at(event: Mapping[str, Any]) -> datetime:
    """Return when a request began to make an event: its UUIDv7 can tell, or else its time does.

    A UUIDv7 begins with the milliseconds of its moment (RFC 9562).
    """
    written, known = datetime.fromisoformat(event["time"]), UUID(event["id"])
    if known.version != _WITH_TIME:
        return written
    return min(written, datetime.fromtimestamp((known.int >> _MS_OF_ID) / 1000, UTC))


def _delivery(
    event: Mapping[str, Any], delivery: Mapping[str, Any], depth: int, now: datetime
) -> Iterator[Step]:
    begins = _moment(event["published_at"]) or datetime.fromisoformat(event["recorded_at"])
    started, finished = _moment(delivery["started_at"]), _moment(delivery["finished_at"])
    ends = finished or started
    if started is not None:
        # The relay marks what it has sent, and a handler can be quicker than the mark.
        begins = min(begins, started)
    row = {
        "kind": "delivery",
        "depth": depth,
        "name": delivery["subscriber"],
        "subscriber": delivery["subscriber"],
        "state": delivery["state"],
        "event_id": event["id"],
    }
    spans: list[Span] = []
    if ends is None:
        up_to = max(now, begins)
        took = lasting((up_to - begins).total_seconds())
        if delivery["state"] in {"due", "waiting"}:
            spans.append(Span("open", begins, up_to, f"not handled yet, after {took}"))
            row["wait"] = took
        if delivery["next_attempt_at"]:
            row["note"] = "next attempt"
            row["at"] = delivery["next_attempt_at"]
    else:
        first = max(begins, started or ends)
        last = max(first, ends)
        row["wait"] = lasting((first - begins).total_seconds())
        if finished is not None:
            row["run"] = lasting((last - first).total_seconds())
        row["at"] = finished.isoformat() if finished else delivery["started_at"]
        spans.append(Span("wait", begins, first, f"waited {row['wait']}"))
        kind: Kind = "run" if delivery["state"] == "handled" else "failed"
        spans.append(
            Span(
                kind,
                first,
                last,
                f"{delivery['state']}, ran {row.get('run', 'for a time that is not known')}",
            )
        )
    yield Step(row, spans)
    free = begins
    for attempt in delivery["attempts"]:
        line = _attempt(attempt, free, depth + 1)
        free = line.spans[-1].end
        yield line


def _attempt(attempt: Mapping[str, Any], begins: datetime, depth: int) -> Step:
    failed = max(datetime.fromisoformat(attempt["failed_at"]), begins)
    took_s = (attempt["took_ms"] or 0.0) / 1000
    start = max(datetime.fromtimestamp(failed.timestamp() - took_s, UTC), begins)
    error = f"{attempt['error_type']}: {attempt['error']}"
    row = {
        "kind": "attempt",
        "depth": depth,
        "name": f"attempt {attempt['attempt']}",
        "state": "failed",
        "note": error,
        "at": attempt["failed_at"],
        "wait": lasting((start - begins).total_seconds()),
        "run": "not called" if attempt["took_ms"] is None else lasting(took_s),
    }
    return Step(row, [Span("failed", start, failed, f"attempt {attempt['attempt']}: {error}")])


def _effect(effect: Effect, depth: int) -> Step:
    return Step(
        {"kind": "effect", "depth": depth, "name": effect.text, "at": effect.at.isoformat()}
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
