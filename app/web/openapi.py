"""The OpenAPI document, telling the truth about refusals: problem documents everywhere."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.errors import AppError, OverloadedError
from app.web.auth import requirements
from app.web.body import BodyTooLargeError, UnsupportedMediaTypeError
from app.web.deadline import BodyTimeoutError, DeadlineExceededError
from app.web.limits import UnknownParameterError
from app.web.principal import InsufficientScopeError, UnauthenticatedError
from app.web.problem import (
    MEDIA_TYPE,
    InternalError,
    MalformedJsonError,
    Problem,
    UnavailableError,
    ValidationFailedError,
)
from app.web.rate import RateLimitedError

_SCHEMAS = "#/components/schemas/"
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}}


def operation_id(route: APIRoute) -> str:
    """Return the name an operation has in generated clients: its function's, which is unique."""
    return route.name


def refuses(*kinds: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer with these problems.

    `@router.post(…, responses=refuses(OrderNotFoundError, OrderStateConflictError))`; merge it
    with others by `|`. What every route can answer with need not be named: a missing key, a body
    or query that does not fit, too many requests, a database that cannot serve.
    """
    by_status: dict[int, dict[str, str]] = {}
    for kind in kinds:
        by_status.setdefault(int(kind.status), {})[kind.code] = kind.title
    return {
        status: {
            "description": "; ".join(f"`{code}`: {title}" for code, title in sorted(codes.items())),
            "content": _PROBLEM,
        }
        for status, codes in sorted(by_status.items())
    }


def install(app: FastAPI) -> None:
    """Make app's OpenAPI show Problem where FastAPI would show its own validation error."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        # FastAPI keeps one dictionary until a route is added; doing this to it twice is harmless.
        document = build()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas.update(_problem_schemas())
        for path in document["paths"].values():
            for operation in path.values():
                _tell_refusals(operation)
        _tell_scopes(app, document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation gives


def _tell_scopes(app: FastAPI, document: dict[str, Any]) -> None:
    """Name the scope each operation asks for, where OpenAPI 3.1 has a place for roles."""
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path_format, {})
        if operations and isinstance(route.original_route, APIRoute):
            scopes = [one.scope for one in requirements(route.dependant)]
            for method in route.methods or ():
                if scopes and method.lower() in operations:
                    operations[method.lower()]["security"] = [{"key": scopes}]


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return {**problem.pop("$defs"), "Problem": problem}


def _tell_refusals(operation: dict[str, Any]) -> None:
    """Add what any operation of its kind can be refused with to what its route told."""
    responses = operation["responses"]
    common: list[type[AppError]] = [InternalError, UnavailableError, DeadlineExceededError]
    if "security" in operation:
        common += [UnauthenticatedError, InsufficientScopeError, RateLimitedError, OverloadedError]
        common += [ValidationFailedError, UnknownParameterError]
    if "requestBody" in operation:
        common += [MalformedJsonError, BodyTimeoutError, BodyTooLargeError]
        common += [UnsupportedMediaTypeError]
    told = responses.get("422", {})
    if MEDIA_TYPE not in told.get("content", {}):
        # FastAPI's own validation error, which nobody is ever sent.
        responses.pop("422", None)
    for status, response in refuses(*common).items():
        known = responses.setdefault(str(status), response)
        if known is not response and response["description"] not in known["description"]:
            known["description"] = f"{known['description']}; {response['description']}"
    responses["default"] = {"description": "Refused, or failed.", "content": _PROBLEM}
