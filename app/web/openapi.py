"""The OpenAPI document, telling the truth about refusals: problem documents everywhere."""

from typing import Any

from fastapi import FastAPI

from app.web.problem import MEDIA_TYPE, Problem

_SCHEMAS = "#/components/schemas/"


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
                _tell_refusals(operation["responses"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation gives


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return {**problem.pop("$defs"), "Problem": problem}


def _tell_refusals(responses: dict[str, Any]) -> None:
    refused = {"content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}}}
    if "422" in responses:
        responses["422"] = {"description": "The request does not fit.", **refused}
    responses["default"] = {"description": "Refused, or failed.", **refused}
