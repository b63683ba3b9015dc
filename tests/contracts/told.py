"""Whatever a test is refused with is in the API's description."""

import re
from functools import cache
from typing import Any

import httpx2

from app.web.problem import MEDIA_TYPE
from tests.contracts.openapi import document


async def told(response: httpx2.Response) -> None:
    """Fail when an operation does not tell of the problem it answered with: a client's hook."""
    if response.headers.get("content-type") != MEDIA_TYPE:
        return
    operation = _operation(response.request.method.lower(), response.request.url.path)
    if operation is None:
        return
    await response.aread()
    code = response.json()["code"]
    known = operation["responses"].get(str(response.status_code), {}).get("description", "")
    assert f"`{code}`" in known, f"{operation['operationId']} does not tell of {code}: {known}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for pattern, operations in _paths():
        if method in operations and pattern.fullmatch(path):
            operation: dict[str, Any] = operations[method]
            return operation
    return None


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Return the operations by what their paths look like, those without a place to fill first."""
    paths = sorted(document()["paths"].items(), key=lambda one: one[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), one) for path, one in paths]
