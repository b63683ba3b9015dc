"""How the operators' REST API is entered: by one scope to look, by another to act."""

from typing import Literal

from fastapi import APIRouter, Depends

from app.web.auth import require
from app.web.limits import known_parameters


def ops_router(scope: Literal["ops:read", "ops"]) -> APIRouter:
    """Return a router under /v1/ops whose every route asks for scope."""
    return APIRouter(
        prefix="/v1/ops",
        tags=["ops"],
        dependencies=[Depends(require(scope)), Depends(known_parameters)],
    )
