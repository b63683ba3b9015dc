"""The catalogue of events: what each type says, who publishes it, who hears it, and an example.

Read from the classes and the subscribers themselves, so that it cannot differ from them. Whatever
tells people or programs about events is made from it.
"""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from app.bus.event import Context, Envelope, Event
from app.bus.members import Member, Schema, members
from app.bus.subscriber import Subscriber

# What examples have beside their data; as it would be, and always the same.
_EXAMPLE_ID = UUID("0199c2d4-a8f4-7a31-8c55-1f0e6b7d9a20")
_EXAMPLE_TIME = datetime(2026, 3, 1, 9, 30, 0, 123000, tzinfo=UTC)
_EXAMPLE_WORK = Context(
    correlation_id="0199c2d4-a8ed-7e02-9b41-64d3a5f8c710",
    causation_id=UUID("0199c2d4-a8ef-7d19-a3c6-52e8f4b1076d"),
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscriber that hears a type of event, its handler, and what that does."""

    subscriber: str
    handler: str
    does: str


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event in its newest version, and who hears it."""

    kind: type[Event]
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def type(self) -> str:
        """Its wire name."""
        return self.kind.type

    @property
    def context(self) -> str:
        """Who publishes it, which is also the stream it is on."""
        return self.kind.context

    @property
    def subject_field(self) -> str:
        """The field of its data that names what it is about."""
        return self.kind.subject_field

    @property
    def title(self) -> str:
        """Its name in words, such as "Order created"."""
        fact = self.type.split(".")[1].replace("_", " ")
        return fact[0].upper() + fact[1:]

    @property
    def description(self) -> str:
        """When it is published, in a sentence or a few."""
        return " ".join(inspect.cleandoc(self.kind.__doc__ or "").split())

    @property
    def older_versions(self) -> Sequence[str]:
        """The wire names of older versions, which its readers read too."""
        return sorted(self.kind.upcasts)

    @property
    def schema(self) -> Schema:
        """The JSON Schema of its data."""
        return schema_of(self.kind)

    @property
    def members(self) -> Sequence[Member]:
        """The fields of its data, each before what is inside it."""
        return members(self.schema)

    @property
    def example(self) -> dict[str, Any] | None:
        """An envelope as it could travel; None when the class gives no example of its data."""
        for data in self.schema.get("examples", ()):
            event = self.kind.model_validate({**data, "id": _EXAMPLE_ID, "time": _EXAMPLE_TIME})
            shown: dict[str, Any] = json.loads(Envelope.seal(event.within(_EXAMPLE_WORK)).to_json())
            return shown
        return None


def kinds(of: type[Event] = Event) -> Iterator[type[Event]]:
    """Yield every class of event that this process knows, at its newest version."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def catalogue(
    of: Iterable[type[Event]], subscribers: Iterable[Subscriber] = ()
) -> dict[str, EventType]:
    """Return the types of these classes by wire name, sorted, with who of subscribers hears them.

    A subscriber that hears an older version only is not among those of the newest.
    """
    subscribers = list(subscribers)
    by_type = {kind.type: kind for kind in of}
    return {
        type_: EventType(kind, tuple(_subscriptions(type_, subscribers)))
        for type_, kind in sorted(by_type.items())
    }


def by_context(types: Mapping[str, EventType]) -> dict[str, list[EventType]]:
    """Return types by who publishes them; those that nobody here hears a word of come last."""
    found: dict[str, list[EventType]] = {}
    for one in types.values():
        found.setdefault(one.context, []).append(one)
    heard = {context: any(one.subscriptions for one in of) for context, of in found.items()}
    return {
        context: found[context] for context in sorted(found, key=lambda it: (not heard[it], it))
    }


def _subscriptions(type_: str, subscribers: Iterable[Subscriber]) -> Iterator[Subscription]:
    for one in sorted(subscribers, key=lambda subscriber: subscriber.name):
        if type_ in one.handlers:
            _, handler = one.handlers[type_]
            does = inspect.getdoc(handler.function) or ""
            yield Subscription(
                subscriber=one.name,
                handler=handler.name,
                does=" ".join(does.split("\n\n")[0].split()),
            )


@cache
def schema_of(kind: type[Event]) -> Schema:
    """Return the JSON Schema of the data of an event; `id` and `time` travel beside it.

    Its `x-subject` is the field that names what the event is about. Nobody may change it: there is
    one for all who ask.
    """
    schema = kind.model_json_schema(mode="serialization")
    for beside in ("id", "time"):
        schema["properties"].pop(beside)
    schema["required"] = [name for name in schema["properties"] if name in schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/v1/event-types/{kind.type}",
        **schema,
        "x-subject": kind.subject_field,
    }
