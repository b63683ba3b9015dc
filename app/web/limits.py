"""Which parameters a query may have, and what their values may hold."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import ClassVar

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from starlette.types import Scope

from app.errors import AppError
from app.web import problem
from app.web.fields import has_control_characters


class UnknownParameterError(AppError):
    """The query has a parameter this operation does not know."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "unknown_parameter"
    title: ClassVar[str] = "The query has an unknown parameter"
    remedy: ClassVar[str] = "Leave it out, or spell it as `/docs` does."


async def known_parameters(request: Request) -> None:
    """Refuse query parameters the operation does not declare, and values no database could take.

    For routers: `APIRouter(dependencies=[Depends(known_parameters)])`.
    """
    if not request.scope["query_string"]:
        return
    known = set(_declared(request.scope))
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        msg = (
            f"{', '.join(map(repr, unknown[:5]))[:300]} is not known here; "
            f"known are: {', '.join(sorted(known)) or 'none'}."
        )
        raise UnknownParameterError(msg)
    unfit = [
        problem.field_problem(
            "query", [name], "control_character", "Values cannot hold control characters"
        )
        for name, value in request.query_params.multi_items()
        if has_control_characters(value)
    ]
    if unfit:
        raise problem.validation_failed(unfit)


def _declared(scope: Scope) -> Iterator[str]:
    """Yield the query parameters of the operation, those of its dependencies included."""
    # A router included in another is kept by reference, and what the inclusion added is known to
    # this context only.
    inclusion = scope.get("fastapi", {}).get("effective_route_context")
    dependant: Dependant = (inclusion or scope["route"]).dependant
    for field in get_flat_params(dependant):
        if getattr(field.field_info, "in_", ParamTypes.query) is ParamTypes.query:
            yield field.alias
