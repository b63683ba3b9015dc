"""What a JSON Schema says of an object, field by field, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A field of an event's data; those of inner objects are named by their path."""

    name: str
    type: str
    is_required: bool
    meaning: str


def members(schema: Schema) -> Sequence[Member]:
    """Return the fields of an object, each before what is inside it."""
    return list(_members(schema, schema.get("$defs", {})))


def _members(
    schema: Schema, models: Mapping[str, Schema], path: str = "", inside: tuple[str, ...] = ()
) -> Iterator[Member]:
    """Walk the properties of an object, and into the objects they are made of."""
    required = schema.get("required", ())
    for name, of in schema.get("properties", {}).items():
        model = _model(of)
        where = path + name
        yield Member(
            name=where,
            type=_type(of),
            is_required=name in required,
            meaning=of.get("description") or models.get(model, {}).get("description", ""),
        )
        # A model can hold itself; that is told once.
        if model in models and model not in inside:
            dots = "[]." if of.get("type") == "array" else "."
            yield from _members(models[model], models, where + dots, (*inside, model))


def _model(of: Schema) -> str:
    """Return the name of the model that a property is, or is a list of; empty when neither."""
    return str(of.get("items", of).get("$ref", "")).rpartition("/")[2]


def _type(of: Schema) -> str:
    """Return a schema in words."""
    if "$ref" in of:
        return _model(of)
    if values := of.get("enum") or ("const" in of and [of["const"]]):
        return " or ".join(json.dumps(value) for value in values)
    if several := of.get("anyOf") or of.get("oneOf"):
        return " or ".join(_type(one) for one in several)
    if of.get("type") == "array":
        least = f", {of['minItems']} or more" if of.get("minItems") else ""
        return f"list of {_type(of.get('items', {}))}{least}"
    if of.get("format") == "date-time":
        return "time (RFC 3339)"
    return str(of.get("format") or of.get("type", "anything")) + _bounds(of)


def _bounds(of: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {of[name]}" for name, sign in signs.items() if name in of)
