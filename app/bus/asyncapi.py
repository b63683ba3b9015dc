"""The catalogue of events as an AsyncAPI 3.0 document: streams, who sends, who receives."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from app.bus.catalogue import EventType
from app.bus.event import Envelope
from app.bus.members import Schema
from app.bus.subscriber import Subscriber

ENVELOPE = "CloudEvent"

_SCHEMAS = "#/components/schemas/"


def asyncapi(
    types: Mapping[str, EventType],
    subscribers: Iterable[Subscriber],
    *,
    info: Mapping[str, Any],
    address: Callable[[str], str],
) -> dict[str, Any]:
    """Return the document; address gives a context's stream its key in Redis.

    A channel is a stream. A message is a version of a type, whole as it travels: the envelope with
    the event's data in it.
    """
    return {
        "asyncapi": "3.0.0",
        "info": dict(info),
        "defaultContentType": "application/cloudevents+json",
        "channels": _channels(types.values(), address),
        "operations": {
            **_sending(types.values()),
            **_receiving(types, sorted(subscribers, key=lambda one: one.name)),
        },
        "components": {
            "schemas": {ENVELOPE: _envelope(), **_schemas(types.values())},
            "messages": _messages(types.values()),
            "correlationIds": {
                "chain": {
                    "description": "One for the request and all that came of it.",
                    "location": "$message.payload#/correlationid",
                }
            },
        },
    }


def _by_context(types: Iterable[EventType]) -> dict[str, list[str]]:
    """Return what can be met on each stream, by wire name, older versions included."""
    streams: dict[str, list[str]] = {}
    for one in types:
        streams.setdefault(one.context, []).extend([one.type, *one.older_versions])
    return {context: sorted(set(found)) for context, found in sorted(streams.items())}


def _channels(
    types: Iterable[EventType], address: Callable[[str], str]
) -> dict[str, dict[str, Any]]:
    return {
        context: {
            "address": address(context),
            "title": f"Events of {context.replace('_', ' ')}",
            "description": "A Redis stream; each entry has one field, `event`, which is the "
            "envelope as JSON. Events of one subject are in the order of their commits.",
            "messages": {type_: _ref(f"#/components/messages/{type_}") for type_ in found},
        }
        for context, found in _by_context(types).items()
    }


def _sending(types: Iterable[EventType]) -> dict[str, dict[str, Any]]:
    newest: dict[str, list[str]] = {}
    for one in types:
        newest.setdefault(one.context, []).append(one.type)
    return {
        f"{context}.publish": _operation(
            "send", context, found, f"What {context.replace('_', ' ')} publishes."
        )
        for context, found in sorted(newest.items())
    }


def _receiving(
    types: Mapping[str, EventType], subscribers: Sequence[Subscriber]
) -> dict[str, dict[str, Any]]:
    known = {name for one in types.values() for name in (one.type, *one.older_versions)}
    operations: dict[str, dict[str, Any]] = {}
    for subscriber in subscribers:
        for context in subscriber.contexts:
            heard = {
                type_: handler.name
                for type_, (kind, handler) in sorted(subscriber.handlers.items())
                if kind.context == context and type_ in known
            }
            operation = _operation(
                "receive", context, list(heard), f"What {subscriber.name} hears of {context}."
            )
            operation["x-subscriber"] = subscriber.name
            operation["x-handlers"] = heard
            operations[f"{subscriber.name}.receive.{context}"] = operation
    return operations


def _operation(action: str, context: str, types: Iterable[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": _ref(f"#/channels/{context}"),
        "summary": summary,
        "messages": [_ref(f"#/channels/{context}/messages/{type_}") for type_ in types],
    }


def _messages(types: Iterable[EventType]) -> dict[str, dict[str, Any]]:
    messages: dict[str, dict[str, Any]] = {}
    for one in types:
        message = _message(one.type, one)
        message["description"] = one.description
        message["x-subject"] = one.subject_field
        message["x-older-versions"] = list(one.older_versions)
        if (example := one.example) is not None:
            message["examples"] = [{"name": "example", "payload": example}]
        messages[one.type] = message
        for old in one.older_versions:
            older = _message(old, one)
            older["description"] = f"An older version; whoever reads {one.type} reads it too."
            # A build of its own may still have it as a class.
            messages.setdefault(old, older)
    return dict(sorted(messages.items()))


def _message(type_: str, one: EventType) -> dict[str, Any]:
    return {
        "name": type_,
        "title": one.title,
        "contentType": "application/cloudevents+json",
        "correlationId": _ref("#/components/correlationIds/chain"),
        "tags": [{"name": one.context}],
        "payload": _ref(_SCHEMAS + type_),
    }


def _schemas(types: Iterable[EventType]) -> dict[str, Any]:
    """Return a schema per message, of its data, and of what the data are made of."""
    schemas: dict[str, Any] = {}
    for one in types:
        data = f"{one.type}.data"
        schemas[one.type] = _sealed(one, one.type, _ref(_SCHEMAS + data))
        inner = dict(one.schema)
        models = inner.pop("$defs", {})
        for beside in ("$schema", "$id"):
            inner.pop(beside)
        schemas[data] = _moved(inner, one.type)
        for name, model in models.items():
            schemas[f"{one.type}.{name}"] = _moved(model, one.type)
    for one in types:
        for old in one.older_versions:
            schemas.setdefault(old, _sealed(one, old, {"type": "object"}))
    return schemas


def _sealed(one: EventType, type_: str, data: Schema) -> dict[str, Any]:
    """Return the schema of an envelope around data of one type."""
    own = {"type": {"const": type_}, "source": {"const": f"/{one.context}"}, "data": data}
    return {"allOf": [_ref(_SCHEMAS + ENVELOPE), {"type": "object", "properties": own}]}


def _envelope() -> dict[str, Any]:
    """Return the schema of what all envelopes have; attributes that are unset are left out."""
    schema = Envelope.model_json_schema(mode="serialization")
    fields = Envelope.model_fields
    schema["required"] = [name for name, field in fields.items() if field.default is not None]
    return schema


def _moved(part: Any, type_: str) -> Any:  # noqa: ANN401 - of a JSON document
    """Return a schema whose references lead to the document's components."""
    if isinstance(part, list):
        return [_moved(one, type_) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        name: f"{_SCHEMAS}{type_}.{value.rpartition('/')[2]}"
        if name == "$ref" and isinstance(value, str)
        else _moved(value, type_)
        for name, value in part.items()
    }


def _ref(to: str) -> dict[str, str]:
    return {"$ref": to}
