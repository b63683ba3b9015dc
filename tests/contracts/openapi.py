"""The API's contract as a file: `python -m tests.contracts.openapi` writes it anew."""

import json
from pathlib import Path
from typing import Any

from app.main import create_app
from app.settings import Settings
from tests.contracts import rest_page

FILE = Path(__file__).with_suffix(".json")

_PROSE = {"description", "summary", "title", "example", "examples", "tags"}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the application as it is."""
    return create_app(Settings.model_validate({})).openapi()


def contract(of: dict[str, Any]) -> dict[str, Any]:
    """Return what clients rely on: everything but the prose, and no refusals."""
    paths = {
        path: {
            method: {
                **operation,
                "responses": {
                    status: answer
                    for status, answer in operation["responses"].items()
                    if status.startswith("2")
                },
            }
            for method, operation in methods.items()
        }
        for path, methods in of["paths"].items()
    }
    return {
        "openapi": of["openapi"],
        "paths": without_prose(paths),
        "components": {"schemas": without_prose(of["components"]["schemas"])},
    }


def without_prose(part: Any, *, named: bool = True) -> Any:  # noqa: ANN401 - of a JSON document
    """Leave out what only people read; below `properties` and the like, keys are names."""
    if isinstance(part, list):
        return [without_prose(each, named=False) for each in part]
    if not isinstance(part, dict):
        return part
    names = {"properties", "schemas", "paths", "responses", "content", "headers", "$defs"}
    return {
        key: without_prose(value, named=key in names)
        for key, value in part.items()
        if named or key not in _PROSE
    }


def written(of: dict[str, Any]) -> str:
    """Return a contract as the text of the file."""
    return json.dumps(of, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    now = document()
    FILE.write_text(written(contract(now)))
    rest_page.write(now)
