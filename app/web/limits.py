"""What a request may be: how large, of which type, with which parameters."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import ClassVar

from fastapi import HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.fields import has_control_characters

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods that change state."""


class BodyTooLargeError(AppError):
    """The body is larger than the configured limit."""

    status: ClassVar[HTTPStatus] = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code: ClassVar[str] = "body_too_large"
    title: ClassVar[str] = "The body is too large"


class UnsupportedMediaTypeError(AppError):
    """The body is not declared to be JSON."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code: ClassVar[str] = "unsupported_media_type"
    title: ClassVar[str] = "Only JSON is understood"


class UnknownParameterError(AppError):
    """The query has a parameter this operation does not know."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "unknown_parameter"
    title: ClassVar[str] = "The query has an unknown parameter"


class BodyLimit:
    """ASGI middleware: refuses bodies that are too large, declared or not, or that are not JSON."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in with its body watched, or answer it."""
        if scope["type"] != "http" or scope["method"] not in CHANGING:
            await self._app(scope, receive, send)
            return
        length, chunked, media_type = b"", False, b""
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value.strip().lstrip(b"0")
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"content-type":
                media_type = value
        refusal: AppError | None = None if _is_json(media_type) else _not_json(media_type)
        if length.isdigit() and self._exceeded_by(length):
            await problem.respond(self._too_large(), scope, receive, send)
        elif (length or chunked) and refusal:
            await problem.respond(refusal, scope, receive, send)
        else:
            await self._app(scope, self._watched(receive, refusal), send)

    def _watched(self, receive: Receive, refusal: AppError | None) -> Receive:
        """Refuse a body that no header announced: HTTP/2 needs none."""
        got = 0

        async def watched() -> Message:
            nonlocal got
            part = await receive()
            got += len(part.get("body", b""))
            found = self._too_large() if got > self._most_bytes else refusal
            if got and found:
                # FastAPI turns anything but its own exception into a 400 while it reads a body.
                raise HTTPException(found.status) from found
            return part

        return watched

    def _exceeded_by(self, digits: bytes) -> bool:
        # By their number first: int() refuses thousands of digits.
        return len(digits) > len(str(self._most_bytes)) or int(digits) > self._most_bytes

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"A body may have {self._most_bytes} bytes here: send less, or raise "
            "APP_BODY_LIMIT_BYTES.",
            # The rest of the body is not read, so nothing else can follow on this connection.
            headers={"Connection": "close"},
        )


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


def _is_json(media_type: bytes) -> bool:
    """Accept `application/json` and `application/…+json`, whatever parameters follow."""
    kind = media_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )


def _not_json(media_type: bytes) -> UnsupportedMediaTypeError:
    shown = media_type[:100].decode("latin-1") or "nothing"
    return UnsupportedMediaTypeError(
        f"Send the body as JSON with Content-Type: application/json; it said {shown}.",
        headers={"Accept": "application/json"},
    )
