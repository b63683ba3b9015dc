"""What the whole application serves, read from its own description: operations and their inputs."""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import httpx2

from tests.contracts import openapi

Schema: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[str | int, ...]
"""Where something is in a body."""

_BY_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "uuid": "0199c2d4-a8f0-7c1e-9b3d-5f7a2c4e6081",
}
_ENDLESS = {"/v1/orders/{order_id}/events"}
"""Answered for as long as an order lives."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation; of its schema what is not null."""

    where: str
    name: str
    schema: Schema


@dataclass(frozen=True)
class Operation:
    """A method of a path, what it takes, and the scope it asks for; None where it asks for none."""

    method: str
    path: str
    scope: str | None
    parameters: tuple[Parameter, ...]
    body: Schema | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_endless(self) -> bool:
        """Whether its answer may go on and on."""
        return self.path in _ENDLESS

    def of(self, where: str) -> list[Parameter]:
        """Return its parameters in the path, the query or the header."""
        return [one for one in self.parameters if one.where == where]

    def at(self, **values: str) -> str:
        """Return its path with these values, which are escaped already, and fitting ones else."""
        known = {one.name: str(sample(one.schema)) for one in self.of("path")} | values
        return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], self.path)


@cache
def document() -> dict[str, Any]:
    """Return the description, made once."""
    return openapi.document()


def operations() -> list[Operation]:
    """Return every operation of the description."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            scope=next((one["key"][0] for one in told.get("security", ())), None),
            parameters=tuple(
                Parameter(one["in"], one["name"], whole(one["schema"]))
                for one in told.get("parameters", ())
            ),
            body=_body(told),
        )
        for path, methods in document()["paths"].items()
        for method, told in methods.items()
    ]


def _body(told: Mapping[str, Any]) -> Schema | None:
    content = told.get("requestBody", {}).get("content", {})
    return whole(content["application/json"]["schema"]) if content else None


def whole(schema: Schema) -> Schema:
    """Return a schema without references and without null, as far as its first level."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return whole({**document()["components"]["schemas"][name], **rest})
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**rest, **whole(kinds[0])}
    return schema


def sample(schema: Schema) -> Any:  # noqa: ANN401 - JSON
    """Return a value that fits a schema, with every member that it may have."""
    schema = whole(schema)
    if "properties" in schema:
        return {name: sample(one) for name, one in schema["properties"].items()}
    if schema.get("type") == "array":
        return [sample(schema["items"])]
    for known in ("enum", "examples"):
        if schema.get(known):
            return schema[known][0]
    by_kind = {
        "object": {},
        "integer": int(schema.get("minimum", schema.get("ge", 1))),
        "boolean": False,
        "string": _BY_FORMAT.get(schema.get("format", ""), "MUG"),
    }
    return schema.get("const", by_kind[schema["type"]])


def leaves(schema: Schema, at: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """Yield every place of a sample's body, arrays and what they hold included, with its schema."""
    schema = whole(schema)
    if "properties" in schema:
        for name, one in schema["properties"].items():
            yield from leaves(one, (*at, name))
    else:
        yield at, schema
        if schema.get("type") == "array":
            yield from leaves(schema["items"], (*at, 0))


def objects(schema: Schema, at: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """Yield every object of a sample's body whose members are known, with its schema."""
    schema = whole(schema)
    if schema.get("type") == "object" and schema.get("additionalProperties") is False:
        yield at, schema
    for name, one in schema.get("properties", {}).items():
        yield from objects(one, (*at, name))
    if schema.get("type") == "array":
        yield from objects(schema["items"], (*at, 0))


def changed(body: Any, at: Place, value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of body with value at a place."""
    if not at:
        return value
    made = copy.deepcopy(body)
    inner = made
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return made


def pointer(at: Sequence[str | int]) -> str:
    """Return a place as problems name it."""
    return "".join(f"/{step}" for step in at)


async def send(  # noqa: PLR0913 - what a request is made of
    client: httpx2.AsyncClient,
    operation: Operation,
    *,
    body: object = None,
    query: Mapping[str, str] | None = None,
    path: Mapping[str, str] | None = None,
    headers: Any = None,  # noqa: ANN401 - whatever the client takes
) -> httpx2.Response:
    """Ask for an operation, with a body that fits unless told otherwise."""
    if body is None and operation.body is not None:
        body = sample(operation.body)
    sent: dict[str, Any] = {}
    if body is not None:
        # Escaped, so that half a surrogate pair can be sent as well.
        sent["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = httpx2.Headers(headers)
        headers["content-type"] = "application/json"
    if operation.is_endless:
        # Its head is what a GET would be answered with.
        return await client.head(operation.at(**(path or {})), params=query, headers=headers)
    return await client.request(
        operation.method,
        operation.at(**(path or {})),
        params=query,
        headers=headers,
        **sent,
    )
