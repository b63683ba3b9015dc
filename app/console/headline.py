"""One sentence about the whole flow, and what kind of news it is."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.console.words import number, rate, span

Flow = Mapping[str, Any]
"""What `GET /v1/ops/flow` answers."""

STALLED_S = 10.0
"""How long entries wait for somebody who handles none before that is called standing still."""

_OLD_S = 30.0
_MANY = 500
_MINUTE = 12


class Headline(NamedTuple):
    """A sentence; tone is good, wait (somebody should look) or bad (something does not work)."""

    tone: str
    title: str
    text: str


def headline(flow: Flow) -> Headline:
    """Return what to know first."""
    return next(_troubles(flow), None) or _healthy(flow)


def waiting(flow: Flow) -> int:
    """Return how many events wait anywhere, as far as they were counted."""
    unpublished: int = flow["outbox"]["unpublished"]
    return unpublished + sum(waiting_for(one) for one in flow["subscribers"])


def waiting_for(subscriber: Mapping[str, Any]) -> int:
    """Return how many events wait for a subscriber, as far as they were counted."""
    due: int = subscriber["due"]
    return due + (subscriber["lag"] or 0) + (subscriber["pending"] or 0)


def stands_still(subscriber: Mapping[str, Any]) -> bool:
    """Tell whether entries wait for a subscriber that handles none."""
    waits = (subscriber["lag"] or 0) + (subscriber["pending"] or 0) > 0
    is_old = (subscriber["oldest_age_s"] or 0) >= STALLED_S
    return bool(waits and is_old and not subscriber["handled_per_s"])


def is_growing(flow: Flow) -> bool:
    """Tell whether what is unpublished is much, and more than twice what it was a minute ago."""
    before = [sample["unpublished"] for sample in flow["history"][-_MINUTE:]]
    now = flow["outbox"]["unpublished"]
    return bool(before) and now >= _MANY and now > 2 * before[0]


def _troubles(flow: Flow) -> Iterator[Headline]:
    """Yield what is wrong, the worst first."""
    outbox = flow["outbox"]
    unpublished = _events(outbox["unpublished"], capped=outbox["unpublished_capped"])
    if flow["engine"] is None:
        wait = f"{unpublished} wait." if outbox["unpublished"] else "their events will wait."
        yield Headline("bad", "Redis is away", f"Orders are taken, {wait}")
    for loop in flow["loops"]:
        if loop["state"] in {"dead", "blocked"}:
            text = loop["trouble"] or "It gives no sign of life."
            yield Headline("bad", f"{loop['name']} is {loop['state']}", text)
    if (outbox["oldest_age_s"] or 0) >= _OLD_S:
        age = span(outbox["oldest_age_s"])
        yield Headline(
            "bad", "Events are not published", f"{unpublished} wait, the oldest for {age}."
        )
    for one in flow["streams"]:
        if one["paused"]:
            text = f"It holds {number(one['length'])} entries; new events wait in the database."
            yield Headline("wait", f"The stream of {one['context']} is full", text)
    yield from _of_subscribers(flow)
    if is_growing(flow):
        yield Headline("wait", "The backlog grows", f"{unpublished} wait to be published.")
    dead = sum(one["dead"] for one in flow["subscribers"])
    if dead:
        capped = any(one["dead_capped"] for one in flow["subscribers"])
        letters = (
            f"{_count(dead, capped=capped)} dead {'letter waits' if dead == 1 else 'letters wait'}"
        )
        yield Headline("wait", "Events flow", f"{_pace(flow)}. But {letters} for a decision.")


def _of_subscribers(flow: Flow) -> Iterator[Headline]:
    for one in flow["subscribers"]:
        still = _events(waiting_for(one), capped=one["due_capped"])
        if one["paused"]:
            reason = one["paused"]["reason"]
            held = f"{still} wait for it" if waiting_for(one) else "nothing waits for it yet"
            yield Headline("wait", f"{one['name']} is paused", f"{reason}: {held}.")
        elif stands_still(one):
            age = span(one["oldest_age_s"])
            text = f"{still} wait for it, the oldest for {age}."
            yield Headline("bad", f"{one['name']} stands still", text)
        elif one["held_back"]:
            yield Headline("wait", f"{one['name']} is held back", str(one["held_back"]))


def _healthy(flow: Flow) -> Headline:
    waits = waiting(flow)
    rest = (
        "nothing waits"
        if not waits
        else f"{_events(waits)} on {'its' if waits == 1 else 'their'} way"
    )
    return Headline("good", "Healthy", f"{_pace(flow)}, {rest}.")


def _pace(flow: Flow) -> str:
    recorded = flow["intake"]["recorded_per_s"]
    if recorded is None:
        return "The rates are not known yet"
    if recorded <= 0:
        return "It is quiet"
    return f"{rate(recorded, 'events')}"


def _events(count: int, *, capped: bool = False) -> str:
    return f"{_count(count, capped=capped)} {'event' if count == 1 else 'events'}"


def _count(count: int, *, capped: bool) -> str:
    return f"more than {number(count)}" if capped else number(count)
