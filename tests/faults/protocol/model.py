"""What must be true whatever happened, told from outside: by another reader of the same file.

The model learns what was committed by looking, and what operators asked for by being told. It
counts how often each effect may be there, and never asks the code under test.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from app.invariants import INVARIANTS
from tests.bus.sample import Heard
from tests.faults.checks import AT_REST
from tests.faults.protocol.script import ATTEMPTS, SUBSCRIBED, Script

Pair: TypeAlias = tuple[str, str]
"""A subscriber and an event's id in hex."""

_OURS = {
    "a published event has its place in the log, and no other has",
    "a delivery is settled or owed, never both",
    "every inbox row belongs to an event of ours",
}
_BUS_INVARIANTS = [one for one in INVARIANTS if one.name in _OURS]

_ERRORS = {
    "raise": "Boom",
    "give up": "PermanentError",
    "waive": "Waived",
    "fail": "Failed",
    "fail for good": "Failed",
}


@dataclass(frozen=True, slots=True)
class Published:
    """An event as the outbox keeps it."""

    position: int
    type: str
    context: str
    bell: str
    cause: str | None
    log_position: int | None
    envelope: str


@dataclass(frozen=True, slots=True)
class Look:
    """What the database holds at a moment."""

    outbox: dict[str, Published]
    effects: Counter[Pair]
    deliveries: dict[Pair, Any]
    handled: set[Pair]
    pruned: set[str]

    def done_and_owed(self, pair: Pair) -> int:
        """Return how often the effects are there, and one more for a row that stands for them."""
        return self.effects[pair] + (pair in self.deliveries)


@dataclass(slots=True)
class Model:
    """How often each subscriber's effects of each event may be there, and may yet come."""

    path: Path
    script: Script
    owed: Counter[Pair] = field(default_factory=Counter)
    known: dict[str, Published] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)
    rolled_back: set[str] = field(default_factory=set)
    subscribed: set[str] = field(default_factory=lambda: {"ears", "echo"})
    gone: Counter[Pair] = field(default_factory=Counter)
    harmed: bool = False
    old_builds: bool = False
    _connection: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = sqlite3.connect(self.path)
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, query: str) -> list[Any]:
        """Return what a query finds."""
        return self._connection.execute(query).fetchall()

    def look(self) -> Look:
        """Read everything."""
        outbox = {}
        for row in self.ask("SELECT * FROM outbox"):
            envelope = json.loads(row["envelope"])
            outbox[row["event_id"]] = Published(
                row["position"],
                row["type"],
                row["context"],
                envelope["data"].get("bell", ""),
                _hex(envelope.get("causationid")),
                row["log_position"],
                row["envelope"],
            )
        pair = "SELECT subscriber, event_id FROM"
        return Look(
            outbox,
            Counter(map(tuple, self.ask(f"{pair} effect_audit"))),
            {
                (row["subscriber"], row["event_id"]): row
                for row in self.ask("SELECT * FROM delivery")
            },
            set(map(tuple, self.ask(f"{pair} inbox"))),
            {row["event_id"] for row in self.ask("SELECT event_id FROM pruned")},
        )

    def learn(self) -> Look:
        """Look, take note of what was committed since, and return what was seen."""
        seen = self.look()
        for event_id, event in seen.outbox.items():
            if event_id not in self.known:
                for subscriber in self.subscribed:
                    self.owed[subscriber, event_id] += _handles(subscriber, event)
        self.known |= seen.outbox
        return seen

    def joins(self, subscriber: str, *, filled: bool) -> None:
        """Take note that a subscriber comes now: all that is not published is for it."""
        self.subscribed.add(subscriber)
        for event_id, event in self.learn().outbox.items():
            if event.log_position is None or filled:
                self.owed[subscriber, event_id] += _handles(subscriber, event)

    def fills(self, subscriber: str) -> int:
        """Take note that a subscriber is given all of history; return how much more that is."""
        more = [
            (subscriber, event_id)
            for event_id, event in self.learn().outbox.items()
            if _handles(subscriber, event) and not self.owed[subscriber, event_id]
        ]
        self.owed.update(more)
        return len(more)

    def replays(self, subscriber: str, since: int) -> int:
        """Take note that history is run again from a place on; return how many events that is."""
        seen = self.learn()
        again = [
            (subscriber, event_id)
            for event_id, event in seen.outbox.items()
            if (event.log_position or 0) >= since
            and seen.effects[subscriber, event_id]
            and (subscriber, event_id) not in seen.deliveries
        ]
        self.owed.update(again)
        return len(again)

    def wrong(self) -> list[str]:
        """Return what is wrong now; nothing ever may be."""
        seen = self.learn()
        for event_id in self.known.keys() - seen.outbox.keys():
            for pair in [(subscriber, event_id) for subscriber in self.subscribed]:
                if pair not in self.gone:
                    self.gone[pair] = seen.effects[pair]
        return [
            *self._lost_or_doubled(seen),
            *self._kept_apart(seen),
            *self._pruned_too_soon(seen),
            *self._given_up(seen),
            *(f"{one.name}: {row[0]}" for one in _BUS_INVARIANTS for row in self.ask(one.query)),
        ]

    def _lost_or_doubled(self, seen: Look) -> Iterator[str]:
        for event_id in self.committed - self.known.keys():
            yield f"a committed event was never there: {event_id}"
        for event_id in self.rolled_back & self.known.keys():
            yield f"an event that was rolled back is there: {event_id}"
        for pair in {*seen.effects, *seen.deliveries}:
            if seen.done_and_owed(pair) > self.owed[pair]:
                yield f"done or owed too often: {pair}"

    def _kept_apart(self, seen: Look) -> Iterator[str]:
        """Effects and their inbox row, an effect and its event, order in the outbox and log."""
        for pair in seen.handled - seen.effects.keys():
            yield f"an inbox row without effects: {pair}"
        for pair in seen.effects.keys() - seen.handled:
            if pair[1] in seen.outbox or pair[1] in seen.pruned:
                yield f"effects without an inbox row: {pair}"
        told = Counter(event.cause for event in self.known.values() if event.type == Heard.type)
        done = {id_: count for (name, id_), count in seen.effects.items() if name == "ears"}
        if told != done:
            yield f"effects without their event, or the other way round: {told} {done}"
        log = sorted(seen.outbox.values(), key=lambda event: event.position)
        for context in {event.context for event in log}:
            places = [event.log_position for event in log if event.context == context]
            published = [place for place in places if place is not None]
            if published != sorted(published) or None in places[: len(published)]:
                yield f"published out of order in {context}: {places}"

    def _pruned_too_soon(self, seen: Look) -> Iterator[str]:
        for pair, effects in self.gone.items():
            if seen.effects[pair] != effects:
                yield f"run after it was pruned: {pair}"
            row = seen.deliveries.get(pair)
            if row is not None and row["state"] != "discarded":
                yield f"pruned while it was owed: {pair}"
            if effects < self.owed[pair] and row is None and pair[1] in seen.pruned:
                yield f"pruned before it was handled: {pair}"

    def _given_up(self, seen: Look) -> Iterator[str]:
        """Dead letters that nothing explains."""
        for (subscriber, event_id), row in seen.deliveries.items():
            if row["state"] != "dead":
                continue
            script = self.script.written[subscriber, self.known[event_id].bell]
            explained = {_ERRORS[word] for word in script if word in _ERRORS}
            if self.harmed or "die" in script:
                explained.add("Unfinished")
            if self.old_builds:
                explained.add("UnknownType")
            if row["error_type"] not in explained:
                yield f"given up for nothing: {subscriber} {row['error_type']} of {script}"
            if row["error_type"] == "Boom" and row["attempts"] < ATTEMPTS:
                yield f"given up too soon: {subscriber} after {row['attempts']}"

    def published(self) -> list[tuple[Pair, str, str]]:
        """Return what is owed and has no row of any kind: with its context and stream id."""
        seen = self.look()
        found = self.ask("SELECT event_id, context, stream_id FROM outbox WHERE stream_id > ''")
        return [
            ((name, id_), context, stream_id)
            for id_, context, stream_id in found
            for name in sorted(self.subscribed)
            if self.owed[name, id_] and not seen.done_and_owed((name, id_))
        ]

    def lost(self) -> set[Pair]:
        """Return the deliveries that the stream is said to have lost."""
        return set(
            map(tuple, self.ask("SELECT subscriber, event_id FROM delivery WHERE reason = 'lost'"))
        )

    def unsettled(self) -> list[str]:
        """Return what is not at rest yet."""
        return [f"{name}: {row[0]}" for name, query in AT_REST.items() for row in self.ask(query)]

    def left_over(self, kept: Collection[str] = ("dead", "discarded")) -> list[str]:
        """Return what is wrong now that all has come to rest: neither handled nor given up."""
        seen = self.learn()
        found = [
            f"due at rest: {pair}"
            for pair, row in seen.deliveries.items()
            if row["state"] not in kept
        ]
        for pair, times in self.owed.items():
            if pair not in self.gone and seen.done_and_owed(pair) != times:
                found.append(f"owed {times}, done or given up {seen.done_and_owed(pair)}: {pair}")
        return found


def _handles(subscriber: str, event: Published) -> bool:
    return event.type in {kind.type for kind in SUBSCRIBED[subscriber]}


def _hex(id_: str | None) -> str | None:
    return None if id_ is None else UUID(id_).hex
