"""The console's one way to know or change anything: the REST API, asked inside the process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlencode

import anyio
from starlette.requests import Request
from starlette.types import Message, Scope

from app.bus.event import current_context
from app.web.auth import IN_PROCESS

_FROM_THE_BROWSER = (b"host", b"traceparent")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the REST API answered. body is the parsed JSON; None where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """True for a 2xx."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    def expect(self) -> Any:  # noqa: ANN401 - JSON
        """Return the body of a 2xx; raises RefusedError, which becomes the error page."""
        if not self.ok:
            raise RefusedError(self)
        return self.body


class RefusedError(Exception):
    """The REST API refused what a page cannot do without; `answer` has its problem document."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.body}")
        self.answer = answer


def segment(text: object) -> str:
    """Return text as one segment of a path: `f"/v1/orders/{segment(order_id)}"`."""
    return quote(str(text), safe="")


async def ask(  # noqa: PLR0913 - what a request is made of
    request: Request,
    method: str,
    path: str,
    *,
    params: Mapping[str, object] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request to our own REST API in the name of whoever is signed in.

    path may be followed by a query, as `next` links are. params that are None are left out; a list
    repeats its name. What is refused comes back as an Answer, never as an exception.
    """
    path, _, query = path.partition("?")
    more = urlencode(
        {name: value for name, value in (params or {}).items() if value is not None}, doseq=True
    )
    payload = b"" if body is None else json.dumps(body).encode()
    scope = _scope(request, method, path, "&".join(filter(None, (query, more))))
    scope["headers"] += [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in (headers or {}).items()
    ]
    if body is not None:
        scope["headers"] += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(payload)).encode()),
        ]
    heard = _Reply(payload)
    # In a task of its own: what it binds to the log's context is not the page's.
    async with anyio.create_task_group() as group:
        group.start_soon(request.app, scope, heard.receive, heard.send)
    return heard.answer()


def _scope(request: Request, method: str, path: str, query: str) -> Scope:
    context = current_context.get()
    headers = [one for one in request.scope["headers"] if one[0] in _FROM_THE_BROWSER]
    if context is not None:
        headers.append((b"x-correlation-id", context.correlation_id.encode()))
    kept = ("asgi", "http_version", "scheme", "server", "client")
    return {
        **{name: request.scope[name] for name in kept if name in request.scope},
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        IN_PROCESS: request.state.principal,
    }


class _Reply:
    """The other end of an ASGI request: gives its body once, and keeps what is answered."""

    def __init__(self, payload: bytes) -> None:
        self._payload: bytes | None = payload
        self._status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []

    async def receive(self) -> Message:
        """Give the body; nobody disconnects before the answer is whole."""
        if self._payload is None:
            await anyio.sleep_forever()
        payload, self._payload = self._payload, None
        return {"type": "http.request", "body": payload, "more_body": False}

    async def send(self, message: Message) -> None:
        """Keep a part of the answer."""
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            self._headers = list(message.get("headers", ()))
        else:
            self._parts.append(message.get("body", b""))

    def answer(self) -> Answer:
        """Return what was heard."""
        text = b"".join(self._parts)
        return Answer(
            self._status,
            json.loads(text) if text else None,
            {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers},
        )
