"""The rules of AsyncAPI 3.0 that our document is under, from its specification.

The objects we use, closed as the specification closes them; what it says in prose about references
is `astray`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_NAME = "^[A-Za-z0-9_.-]+$"
_TEXT = {"type": "string"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    """Return the schema of an object that has these fields, extensions, and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "patternProperties": {r"^x-[\w.-]+$": {}},
        "additionalProperties": False,
    }


def _map(of: Any, names: str = "") -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    return {"type": "object", "propertyNames": {"pattern": names}, "additionalProperties": of}


def _list(of: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    return {"type": "array", "items": of, "uniqueItems": True}


_REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string", "format": "uri-reference"}},
    "additionalProperties": False,
}
# Far from all of draft 7, which a validator of that draft reads by itself.
_SCHEMA = {"$ref": "http://json-schema.org/draft-07/schema#"}
_TAG = _object(("name",), name=_TEXT, description=_TEXT)
_EXAMPLE = {
    **_object(name=_TEXT, summary=_TEXT, headers={"type": "object"}, payload={}),
    "anyOf": [{"required": ["payload"]}, {"required": ["headers"]}],
}
_CORRELATION_ID = _object(
    ("location",),
    description=_TEXT,
    location={"type": "string", "pattern": r"^\$message\.(header|payload)#(/[^/]*)*$"},
)
_MESSAGE = _object(
    name=_TEXT,
    title=_TEXT,
    summary=_TEXT,
    description=_TEXT,
    contentType=_TEXT,
    correlationId=_REFERENCE,
    tags=_list(_TAG),
    payload=_REFERENCE,
    examples=_list(_EXAMPLE),
)
_CHANNEL = _object(
    address={"type": ["string", "null"]},
    title=_TEXT,
    description=_TEXT,
    messages=_map(_REFERENCE),
)
_OPERATION = _object(
    ("action", "channel"),
    action={"enum": ["send", "receive"]},
    channel=_REFERENCE,
    summary=_TEXT,
    messages=_list(_REFERENCE),
)

DOCUMENT = _object(
    ("asyncapi", "info"),
    asyncapi={"const": "3.0.0"},
    info=_object(("title", "version"), title=_TEXT, version=_TEXT, description=_TEXT),
    defaultContentType={"type": "string", "pattern": r"^[\w.+-]+/[\w.+-]+$"},
    channels=_map(_CHANNEL),
    operations=_map(_OPERATION),
    components=_object(
        schemas=_map(_SCHEMA, _NAME),
        messages=_map(_MESSAGE, _NAME),
        correlationIds=_map(_CORRELATION_ID, _NAME),
    ),
)
"""A JSON Schema (draft 7) of the part of AsyncAPI 3.0 that the document makes use of."""


def astray(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the document's references."""
    found = [
        f"{where}: {to} leads nowhere"
        for where, to in _references(document, "#")
        if not _leads(document, to)
    ]
    for name, operation in document["operations"].items():
        channel = operation["channel"]["$ref"]
        if not channel.startswith("#/channels/"):
            found.append(f"{name}: its channel is not a channel of the document")
        # Not of the components: the specification wants the channel's own.
        found += [
            f"{name}: {message['$ref']} is not of its channel"
            for message in operation["messages"]
            if not message["$ref"].startswith(f"{channel}/messages/")
        ]
    addresses = [channel["address"] for channel in document["channels"].values()]
    if len(set(addresses)) < len(addresses):
        found.append("two channels have one address")
    return found


def _references(part: Any, where: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - of a JSON document
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref" and isinstance(value, str):
                yield where, value
            else:
                yield from _references(value, f"{where}/{name}")
    elif isinstance(part, list):
        for i, value in enumerate(part):
            yield from _references(value, f"{where}/{i}")


def _leads(document: Mapping[str, Any], to: str) -> bool:
    found: Any = document
    for name in to.removeprefix("#/").split("/"):
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return to.startswith("#/")
