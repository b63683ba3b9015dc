"""What a body may be: how large, of which type, and JSON that says one thing."""

import json
from collections import Counter
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.heads import heads
from app.web.problem import MalformedJsonError

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods that change state."""

PARSED = "orderly.json"
"""Where a request's scope has what its body says, once that was read and is sound."""

_NONE = (b"",)
_BRACE = ord("{")
_TOLD_BY = 4  # so many bytes tell an encoding

# Pages of the console have forms, and only they.
_FORMS = "/console/"


class BodyTooLargeError(AppError):
    """The body is larger than the configured limit."""

    status: ClassVar[HTTPStatus] = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code: ClassVar[str] = "body_too_large"
    title: ClassVar[str] = "The body is too large"
    remedy: ClassVar[str] = "Send less at a time, or have the operator raise APP_BODY_LIMIT_BYTES."


class UnsupportedMediaTypeError(AppError):
    """The body is not declared to be JSON."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code: ClassVar[str] = "unsupported_media_type"
    title: ClassVar[str] = "Only JSON is understood"
    remedy: ClassVar[str] = "Send the body as JSON, with `Content-Type: application/json`."


class BodyLimit:
    """ASGI middleware: refuses bodies that are too large, declared or not, or not sound JSON."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in with its body watched, or answer it."""
        if scope["type"] != "http" or scope["method"] not in CHANGING:
            await self._app(scope, receive, send)
            return
        said = heads(scope)
        length = said.get(b"content-length", _NONE)[-1].strip().lstrip(b"0")
        media_type = said.get(b"content-type", _NONE)[-1]
        chunked = b"transfer-encoding" in said
        is_form = scope["path"].startswith(_FORMS) and _is_form(media_type)
        refusal: AppError | None = (
            None if is_form or _is_json(media_type) else _not_json(media_type)
        )
        if length.isdigit() and self._exceeded_by(length):
            await problem.respond(self._too_large(), scope, receive, send)
        elif (length or chunked) and refusal:
            await problem.respond(refusal, scope, receive, send)
        else:
            watched = self._watched(scope, receive, refusal, is_form=is_form)
            await self._app(scope, watched, send)

    def _watched(
        self, scope: Scope, receive: Receive, refusal: AppError | None, *, is_form: bool
    ) -> Receive:
        """Refuse a body that no header announced (HTTP/2 needs none), and one that is unsound.

        Refused here, whatever route reads it: none can forget to.
        """
        got: list[bytes] = []
        size = 0

        async def watched() -> Message:
            nonlocal size
            part = await receive()
            piece: bytes = part.get("body", b"")
            size += len(piece)
            found = self._too_large() if size > self._most_bytes else refusal
            if size and found is None and not is_form:
                got.append(piece)
                found = None if part.get("more_body") else _unsound(b"".join(got), scope)
            if size and found:
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


class SoundRequest(Request):
    """A request whose body is read without a generator, and not parsed again after `BodyLimit`."""

    _whole: bytes | None = None

    async def body(self) -> bytes:
        """Return the body; raises ClientDisconnect, and what `BodyLimit` refuses."""
        if self._whole is None:
            parts, is_more = [], True
            while is_more:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                is_more = message.get("more_body", False)
            self._whole = b"".join(parts)
        return self._whole

    async def json(self) -> Any:  # noqa: ANN401 - what JSON is
        """Return what the body says; raises ValueError or RecursionError where it is no JSON."""
        if PARSED in self.scope:
            return self.scope[PARSED]
        return await super().json()


class _UnsoundError(Exception):
    """What a JSON parser would let pass; the text says what."""


def _unsound(body: bytes, scope: Scope) -> MalformedJsonError | None:
    """Tell why a body cannot be taken although Python's parser would; else keep what it says.

    Two parsers that read one body differently are how a check is passed with one value and the
    work done with another, so a name twice in an object is refused. NaN and Infinity are not JSON.
    """
    try:
        text = body.decode(_encoding(body), "surrogatepass")
        scope[PARSED] = _SOUND.decode(text)
    except _UnsoundError as error:
        return MalformedJsonError(str(error))
    except (ValueError, RecursionError):
        # No JSON at all: the parser that comes next says so, and where.
        return None
    return None


def _encoding(body: bytes) -> str:
    """Return what a JSON text is written in; nearly all begin with a brace and are in UTF-8."""
    if len(body) > _TOLD_BY and body[0] == _BRACE and body[1]:
        return "utf-8"
    return json.detect_encoding(body)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # In one pass: this runs before any key is looked at, and there can be 100,000 names.
        times = Counter(name for name, _ in pairs)
        twice = next(name for name, count in times.items() if count > 1)
        msg = f"{twice[:100]!r} is named twice in one object."
        raise _UnsoundError(msg)
    return found


def _constant(name: str) -> float:
    msg = f"{name} is not a number in JSON."
    raise _UnsoundError(msg)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        msg = f"{digits[:40]} is too large a number."
        raise _UnsoundError(msg)
    return number


# Made once: `json.loads` makes one for each body.
_SOUND = json.JSONDecoder(
    object_pairs_hook=_once_each, parse_constant=_constant, parse_float=_finite
)


def _is_json(media_type: bytes) -> bool:
    """Accept `application/json` and `application/…+json`, whatever parameters follow."""
    if media_type == b"application/json":
        return True
    kind = media_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )


def _is_form(media_type: bytes) -> bool:
    return media_type.partition(b";")[0].strip().lower() == b"application/x-www-form-urlencoded"


def _not_json(media_type: bytes) -> UnsupportedMediaTypeError:
    shown = media_type[:100].decode("latin-1") or "nothing"
    return UnsupportedMediaTypeError(
        f"Send the body as JSON with Content-Type: application/json; it said {shown}.",
        headers={"Accept": "application/json"},
    )
