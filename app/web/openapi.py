"""The OpenAPI document, telling the truth about refusals: problem documents everywhere."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.errors import AppError, OverloadedError
from app.web.auth import ForeignOriginError, HostNotAllowedError, requirements
from app.web.body import CHANGING, BodyTooLargeError, UnsupportedMediaTypeError
from app.web.conditional import PreconditionRequiredError
from app.web.deadline import BodyTimeoutError, DeadlineExceededError, StoppingError
from app.web.idempotency import InFlightError, InvalidKeyError, KeyMissingError, KeyReusedError
from app.web.limits import UnknownParameterError
from app.web.paging import InvalidCursorError
from app.web.principal import (
    InsufficientScopeError,
    NotForCustomersError,
    UnauthenticatedError,
)
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
_BY_PARAMETER: dict[str, tuple[type[AppError], ...]] = {
    "idempotency-key": (InFlightError, InvalidKeyError, KeyMissingError, KeyReusedError),
    "if-match": (PreconditionRequiredError,),
    "cursor": (InvalidCursorError,),
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}}


def operation_id(route: APIRoute) -> str:
    """Return the name an operation has in generated clients: its function's, which is unique."""
    return route.name


def refuses(*kinds: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer with these problems.

    `@router.post(…, responses=refuses(OrderNotFoundError, OrderStateConflictError))`; merge it
    with others by `|`. Need not be named: what every route can answer with (a missing key, a query
    or body that does not fit, too many requests, a database that cannot serve), and what comes of
    an Idempotency-Key, of If-Match and of a cursor.
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
        _tell_scopes(app, document)
        for path in document["paths"].values():
            for method, operation in path.items():
                _tell(operation, _common(method, operation))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation gives


def _tell_scopes(app: FastAPI, document: dict[str, Any]) -> None:
    """Name the scope each operation asks for, where OpenAPI 3.1 has a place for roles.

    And that it refuses customers' keys, if so.
    """
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path_format, {})
        if operations and isinstance(route.original_route, APIRoute):
            asked = list(requirements(route.dependant))
            for method in route.methods or ():
                if asked and method.lower() in operations:
                    operation = operations[method.lower()]
                    operation["security"] = [{"key": [one.scope for one in asked]}]
                    if not all(one.customers for one in asked):
                        _tell(operation, [NotForCustomersError])


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return {**problem.pop("$defs"), "Problem": problem}


def _common(method: str, operation: dict[str, Any]) -> list[type[AppError]]:
    """Return what any operation of its kind can be refused with."""
    kinds: list[type[AppError]] = [InternalError, UnavailableError, DeadlineExceededError]
    if "security" in operation:
        kinds += [UnauthenticatedError, InsufficientScopeError, RateLimitedError, OverloadedError]
        kinds += [ValidationFailedError, UnknownParameterError, HostNotAllowedError]
    if method.upper() in CHANGING:
        kinds += [ForeignOriginError]
    if "requestBody" in operation:
        kinds += [MalformedJsonError, BodyTimeoutError, BodyTooLargeError]
        kinds += [UnsupportedMediaTypeError, StoppingError]
    for parameter in operation.get("parameters", ()):
        kinds += _BY_PARAMETER.get(parameter["name"].lower(), ())
    return kinds


def _tell(operation: dict[str, Any], common: Collection[type[AppError]]) -> None:
    """Add refusals to those that the route told of itself."""
    responses = operation["responses"]
    told = responses.get("422", {})
    if MEDIA_TYPE not in told.get("content", {}):
        # FastAPI's own validation error, which nobody is ever sent.
        responses.pop("422", None)
    for status, response in refuses(*common).items():
        known = responses.setdefault(str(status), response)
        said = known["description"].split("; ")
        # Told once: FastAPI hands out one dictionary, and comes here again.
        more = [one for one in response["description"].split("; ") if one not in said]
        known["description"] = "; ".join([*said, *more])
    responses["default"] = {"description": "Refused, or failed.", "content": _PROBLEM}
