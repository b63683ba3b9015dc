"""What routes that answer with a version, or make something, tell OpenAPI."""

from http import HTTPStatus
from typing import Any, TypeAlias

Responses: TypeAlias = dict[int | str, dict[str, Any]]

ETAG: dict[str, Any] = {
    "ETag": {
        "description": "The version, for If-Match and If-None-Match.",
        "schema": {"type": "string"},
    }
}
LOCATION: dict[str, Any] = {
    "Location": {"description": "Where it is.", "schema": {"type": "string"}}
}

IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1000},
    "description": "Answer 304 when it is still the version with this ETag.",
}
"""A parameter: `openapi_extra={"parameters": [IF_NONE_MATCH]}`."""

SHOWN: Responses = {HTTPStatus.OK.value: {"headers": ETAG}}
"""The `responses` of what answers with a versioned thing."""

READ: Responses = SHOWN | {
    HTTPStatus.NOT_MODIFIED.value: {"description": "If-None-Match names the current version."}
}
"""The `responses` of a GET of one versioned thing."""

MADE: Responses = {HTTPStatus.CREATED.value: {"headers": LOCATION | ETAG}}
"""The `responses` of a POST that makes a versioned thing."""


def written(model: type[Any]) -> Responses:
    """Return the `responses` of a PUT that shows model, new or changed."""
    new = {"model": model, "description": "It is new.", "headers": LOCATION | ETAG}
    return SHOWN | {HTTPStatus.CREATED.value: new}
