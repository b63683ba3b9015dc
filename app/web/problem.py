"""Every refusal and failure as an RFC 9457 problem document with a stable code."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bus.errors import is_transient
from app.bus.event import current_context
from app.errors import AppError

MEDIA_TYPE = "application/problem+json"

# A body of a megabyte can hold a hundred thousand mistakes; the answer names the first ones.
_MOST_ERRORS = 50
_LONGEST_TEXT = 300

_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}

log = structlog.get_logger(__name__)


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
    correlation_id: str | None = None
    trace_id: str | None = None
    errors: list[FieldProblem] | None = None


class MalformedJsonError(AppError):
    """The body is not JSON at all."""

    code: ClassVar[str] = "malformed_json"
    title: ClassVar[str] = "The body is not JSON"


class ValidationFailedError(AppError):
    """The request was understood, and something in it does not fit."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "validation_failed"
    title: ClassVar[str] = "The request does not fit"


class UnavailableError(AppError):
    """The database cannot serve right now; the same request may succeed in a moment."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "unavailable"
    title: ClassVar[str] = "The database cannot serve right now"


class InternalError(AppError):
    """A bug of ours; the log knows more than the client is told."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"


class Failures:
    """ASGI middleware: whatever no handler expected becomes a 503 or a bare 500, logged once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; raise only when the reply was already under way."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            refusal = _expected(error, scope["method"])
            if started:
                raise
            await respond(refusal, scope, receive, send)


def install(app: FastAPI) -> None:
    """Make app answer refusals as problem documents. `Failures` is added with the middleware."""
    app.add_exception_handler(AppError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


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


def validation_failed(problems: Sequence[FieldProblem]) -> ValidationFailedError:
    """Build the refusal that lists problems, the first fifty of them."""
    first = problems[0]
    place = f"{first.location} {first.pointer}".rstrip()
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ValidationFailedError(
        f"{place}: {first.detail}{more}",
        errors=[problem.model_dump() for problem in problems[:_MOST_ERRORS]],
    )


def _expected(error: Exception, method: str) -> AppError:
    """Log error, and choose what the client may know of it."""
    if isinstance(error, AppError):
        return error
    if is_transient(error):
        # The text of a database error ends in the statement's parameters, which are nobody's here.
        cause = getattr(error, "orig", None) or error
        sentence = f"{type(cause).__name__}: {cause}".splitlines()[0]
        log.warning("database cannot serve a request", trouble=sentence)
        detail = "Try again in a moment."
        if method not in {"GET", "HEAD"}:
            # An error while committing leaves open whether the commit happened.
            detail += (
                " Whether the change was made is unknown: sent again with the same "
                "Idempotency-Key, it is made once."
            )
        return UnavailableError(detail, headers={"Retry-After": "1"})
    log.error("request failed", exc_info=error)
    return InternalError("The failure is in the server's log under this correlation id.")


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, AppError):  # the hook's signature is wider than its use
        raise error
    return _render(error, request.scope)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found: Sequence[Mapping[str, Any]] = error.errors()
    for one in found:
        if one["type"] == "json_invalid":
            place = one["loc"][-1]
            msg = f"{one['ctx']['error']}, at character {place} of the body."
            return _render(MalformedJsonError(msg), request.scope)
    problems = [
        field_problem(str(one["loc"][0]), one["loc"][1:], one["type"], one["msg"]) for one in found
    ]
    return _render(validation_failed(problems), request.scope)


async def _http(request: Request, error: Exception) -> Response:
    """Render what the framework refuses; one raised from an AppError stands for that AppError."""
    if not isinstance(error, HTTPException):
        raise error
    cause = error.__cause__
    if isinstance(cause, AppError):
        return _render(cause, request.scope)
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(
        cause, ValueError | RecursionError
    ):
        # Not UTF-8, nested too deeply, or a number of thousands of digits.
        msg = "The body is not UTF-8 JSON of a reasonable depth."
        return _render(MalformedJsonError(msg), request.scope)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {instance(request.scope)}."
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
        detail = f"{request.method} is not possible here, only {headers['Allow']}."
    return _document(
        request.scope,
        status=status,
        code=_CODES.get(status, f"http_{status}"),
        title=status.phrase,
        detail=detail,
        headers=headers,
    )


def _allowed(request: Request) -> set[str]:
    """Return every method that some route has for this path; the framework names one route's."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= route.methods or set()
    return methods | {"HEAD"} if "GET" in methods else methods


def _render(error: AppError, scope: Scope) -> Response:
    return _document(
        scope,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        headers=error.headers,
        extra=error.extra,
    )


def _document(  # noqa: PLR0913 - the members of a problem document
    scope: Scope,
    *,
    status: HTTPStatus,
    code: str,
    title: str,
    detail: str,
    headers: Mapping[str, str],
    extra: Mapping[str, Any] | None = None,
) -> Response:
    context = current_context.get()
    members = {
        **(extra or {}),
        "type": f"/problems/{code}",
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": instance(scope),
        "code": code,
        **(context.log_fields if context else {}),
    }
    text = json.dumps(members, ensure_ascii=False, default=str)
    # What clients send can come back in a pointer, lone surrogates included.
    return Response(text.encode(errors="replace"), status, headers, MEDIA_TYPE)


def instance(scope: Scope) -> str:
    """Return the path of a request as a URI reference: ASCII, and nothing a log could trip over."""
    return quote(scope["path"], safe="/:@!$&'()*+,;=~", errors="replace")
