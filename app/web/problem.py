"""Every refusal and failure as an RFC 9457 problem document with a stable code."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.bus.event import current_context
from app.errors import AppError

MEDIA_TYPE = "application/problem+json"

# A body of a megabyte can hold a hundred thousand mistakes; the answer names the first ones.
_MOST_ERRORS = 50
_LONGEST_TEXT = 300


class FieldProblem(BaseModel):
    """One thing that does not fit: where it is, a stable code, and a sentence."""

    location: str
    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable; single codes add members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    retryable: bool
    correlation_id: str | None = None
    trace_id: str | None = None
    errors: list[FieldProblem] | None = None


class MalformedJsonError(AppError):
    """The body is not JSON at all."""

    code: ClassVar[str] = "malformed_json"
    title: ClassVar[str] = "The body is not JSON"
    remedy: ClassVar[str] = (
        "Send one JSON text (RFC 8259) in UTF-8: no NaN or Infinity, no name twice in one object, "
        "no hundreds of levels."
    )


class ValidationFailedError(AppError):
    """The request was understood, and something in it does not fit."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "validation_failed"
    title: ClassVar[str] = "The request does not fit"
    remedy: ClassVar[str] = "Mend what `errors` lists; each pointer says where, each detail what."


class NothingHereError(AppError):
    """No route has this path."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "Check the path and the id; `/docs` lists every route."


class MethodNotAllowedError(AppError):
    """There is something at this path, but not for this method; `Allow` lists what is possible."""

    status: ClassVar[HTTPStatus] = HTTPStatus.METHOD_NOT_ALLOWED
    code: ClassVar[str] = "method_not_allowed"
    title: ClassVar[str] = "Method Not Allowed"
    remedy: ClassVar[str] = "Use a method of the `Allow` header."


class UnavailableError(AppError):
    """The database cannot serve right now; the same request may succeed in a moment."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "unavailable"
    title: ClassVar[str] = "The database cannot serve right now"
    remedy: ClassVar[str] = (
        "Send it again after Retry-After; a POST with the Idempotency-Key it had, because whether "
        "the change was made may be unknown."
    )
    retryable: ClassVar[bool] = True


class InternalError(AppError):
    """A bug of ours; the log knows more than the client is told."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    remedy: ClassVar[str] = "Report it with the correlation id; the server's log has the details."


REFUSALS = (AppError, RequestValidationError, HTTPException)
"""What a request can be refused with, by us or by the framework; anything else is a failure."""


def install(app: FastAPI) -> None:
    """Make app answer refusals as problem documents. Failures are `RequestContext`'s."""
    for kind in REFUSALS:
        app.add_exception_handler(kind, _answered)


def answer(request: Request, error: Exception) -> Response:
    """Return the answer to a request that was refused with error, one of `REFUSALS`."""
    if isinstance(error, AppError):
        return _render(error, request.scope)
    if isinstance(error, RequestValidationError):
        return _invalid(request, error)
    if isinstance(error, HTTPException):
        return _http(request, error)
    raise error


async def _answered(request: Request, error: Exception) -> Response:
    return answer(request, error)


async def respond(refusal: AppError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an ASGI request with refusal; for middleware, which no exception handler covers."""
    await _render(refusal, scope)(scope, receive, send)


def field_problem(location: str, path: Sequence[str | int], code: str, detail: str) -> FieldProblem:
    """Describe one thing that does not fit, with path as a JSON pointer (RFC 6901)."""
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return FieldProblem(
        location=location,
        pointer=pointer[:_LONGEST_TEXT],
        code=code,
        detail=detail[:_LONGEST_TEXT],
    )


def validation_failed(
    problems: Sequence[FieldProblem], *, of: int | None = None
) -> ValidationFailedError:
    """Build the refusal that lists problems, the first fifty of them; there are `of` in all."""
    first = problems[0]
    place = f"{first.location} {first.pointer}".rstrip()
    others = (of or len(problems)) - 1
    more = f" (and {others} more)" if others else ""
    return ValidationFailedError(
        f"{place}: {first.detail}{more}",
        errors=[problem.model_dump() for problem in problems[:_MOST_ERRORS]],
    )


def _invalid(request: Request, error: RequestValidationError) -> Response:
    found: Sequence[Mapping[str, Any]] = error.errors()
    for one in found:
        if one["type"] == "json_invalid":
            place = one["loc"][-1]
            msg = f"{one['ctx']['error']}, at character {place} of the body."
            return _render(MalformedJsonError(msg), request.scope)
    # No more than are shown: there can be two hundred thousand, a second's work.
    problems = [
        field_problem(str(one["loc"][0]), one["loc"][1:], one["type"], one["msg"])
        for one in found[:_MOST_ERRORS]
    ]
    return _render(validation_failed(problems, of=len(found)), request.scope)


def _http(request: Request, error: HTTPException) -> Response:
    """Render what the framework refuses; one raised from an AppError stands for that AppError."""
    cause = error.__cause__
    if isinstance(cause, AppError):
        return _render(cause, request.scope)
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(
        cause, ValueError | RecursionError
    ):
        # Not UTF-8, nested too deeply, or a number of thousands of digits.
        msg = "The body is not UTF-8 JSON of a reasonable depth."
        return _render(MalformedJsonError(msg), request.scope)
    if error.status_code == HTTPStatus.NOT_FOUND:
        nothing = NothingHereError(f"There is nothing at {instance(request.scope)}.")
        return _render(nothing, request.scope)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = ", ".join(sorted(_allowed(request)))
        detail = f"{request.method} is not possible here, only {allow}."
        return _render(MethodNotAllowedError(detail, headers={"Allow": allow}), request.scope)
    # No route of ours comes here; what the framework may refuse one day still has a page.
    refusal = AppError(f"{error.status_code}: {error.detail}", headers=error.headers)
    return _render(refusal, request.scope)


def _allowed(request: Request) -> set[str]:
    """Return every method that some route has for this path; the framework names one route's."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= route.methods or set()
    # Mounted files are in no route's list.
    methods = methods or {"GET"}
    return methods | {"HEAD"} if "GET" in methods else methods


def _render(error: AppError, scope: Scope) -> Response:
    context = current_context.get()
    members = {
        **error.extra,
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": instance(scope),
        "code": error.code,
        "retryable": error.retryable,
        **(context.log_fields if context else {}),
    }
    text = json.dumps(members, ensure_ascii=False, default=_plain)
    # What clients send can come back in a pointer, lone surrogates included.
    return Response(text.encode(errors="replace"), error.status, error.headers, MEDIA_TYPE)


def _plain(value: object) -> str:
    """Write what JSON has no form for: moments as everywhere else in the API (RFC 3339)."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def instance(scope: Scope) -> str:
    """Return the path of a request as a URI reference: ASCII, and nothing a log could trip over."""
    path: str = scope["path"]
    if _PLAIN.fullmatch(path):
        return path
    return quote(path, safe="/:@!$&'()*+,;=~", errors="replace")


# What `quote` would look through to leave it as it is.
_PLAIN = re.compile(r"[/A-Za-z0-9._~-]*+", re.ASCII)
