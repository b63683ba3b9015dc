"""A thin client of the REST API: one URL, one key, and patience with a server that is away."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2

# Answers that speak of the moment and not of the request; the same key makes asking again safe.
_LATER = frozenset({429, 502, 503, 504})
_IN_FLIGHT = "idempotency_in_flight"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_LONGEST_RETRY_AFTER_S = 5.0


class ServerError(Exception):
    """There is no going on with this server; the text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; `tries` counts the requests it took."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False
    retry_after_s: float = 0.0
    tries: int = 1

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def code(self) -> str:
        """The problem's stable code; `http_…` from a server that sends no problem document."""
        return str(self.body.get("code") or f"http_{self.status}")

    @property
    def detail(self) -> str:
        """The problem's sentence for this one case, as far as it gave one."""
        return str(self.body.get("detail") or self.body.get("title") or "")


class Rest:
    """An open connection pool to one Orderly; an async context manager.

    Requests that fail for want of a connection, or are answered 429, 502, 503 or 504, are sent
    again with the same key, at growing random pauses or when Retry-After says; a request that
    fares so for `patience_s` seconds raises ServerError; 0 is once. So does a 401, at once. Raises
    ServerError for a `url` that is none and for a `key` that no header can carry.
    """

    def __init__(
        self, url: str, *, key: str | None = None, connections: int = 8, patience_s: float = 60.0
    ) -> None:
        self.url = _checked(url)
        self._has_key = bool(key)
        self._patience_s = patience_s
        if key and not (key.isascii() and key.isprintable()):
            raise ServerError("The API key holds characters that no header can carry.")
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(30.0, connect=5.0),
            limits=httpx2.Limits(max_connections=connections),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def probe(self) -> None:
        """Raise ServerError unless an Orderly answers that lets us in. Waits for nobody."""
        try:
            answer = await self._once("GET", "/v1/products", params={"limit": 1})
        except httpx2.RequestError as error:
            raise ServerError(
                f"Nothing answers at {self.url} ({_reason(error)}): start Orderly there with "
                "`python3 dev.py run`, or name another --url."
            ) from None
        self._admit(answer)
        let_in = answer.status in _LATER or answer.code == "insufficient_scope"
        if let_in or (answer.ok and "items" in answer.body):
            return
        said = f": {answer.detail}" if answer.detail else "."
        raise ServerError(
            f"{self.url} does not answer as Orderly's API, but with {answer.status}{said}"
        )

    async def send(  # noqa: PLR0913 - what a request is made of
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        wait_s: int = 0,
    ) -> Answer:
        """Ask until there is an answer, a refusal included; `key` is the Idempotency-Key.

        With wait_s the server is asked to answer when the order is decided, or after so long.
        """
        give_up_at = anyio.current_time() + self._patience_s
        tries = 0
        while True:
            tries += 1
            pause_s = random.uniform(0, _longest_pause_s(tries))  # noqa: S311 - jitter, no secret
            try:
                answer = await self._once(
                    method, path, json=json, params=params, key=key, wait_s=wait_s
                )
            except httpx2.RequestError as error:
                trouble = _reason(error)
            else:
                self._admit(answer)
                if answer.status not in _LATER and answer.code != _IN_FLIGHT:
                    return replace(answer, tries=tries)
                trouble = f"{answer.status} {answer.code}"
                pause_s = max(pause_s, answer.retry_after_s)
            if anyio.current_time() + pause_s >= give_up_at:
                if not self._patience_s:
                    raise ServerError(f"{self.url} does not serve {method} {path} ({trouble}).")
                raise ServerError(
                    f"{self.url} has not served {method} {path} for {self._patience_s:g} s "
                    f"({trouble}): gave up."
                )
            await anyio.sleep(pause_s)

    async def _once(  # noqa: PLR0913 - as send
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        wait_s: int = 0,
    ) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        reply = await self._http.request(method, path, json=json, params=params, headers=headers)
        try:
            body = reply.json()
        except ValueError:
            body = None
        return Answer(
            reply.status_code,
            body if isinstance(body, dict) else {},
            replayed=reply.headers.get("Idempotency-Replayed") == "true",
            retry_after_s=_retry_after_s(reply.headers.get("Retry-After", "")),
        )

    def _admit(self, answer: Answer) -> None:
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return
        found = "refuses the key it was sent" if self._has_key else "asks for a key"
        raise ServerError(f"{self.url} {found}: give the right one by --api-key or APP_API_KEY.")


def _checked(url: str) -> str:
    """Return url without a slash at its end; raise ServerError unless it names an HTTP server."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise ServerError("--url is not usable: wanted one like http://127.0.0.1:8000.")
    return str(parsed).rstrip("/")


def _longest_pause_s(tries: int) -> float:
    """Exponential backoff with full jitter: the upper end after so many tries."""
    return float(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(tries - 1, 10)))


def _retry_after_s(header: str) -> float:
    """Read the seconds of a Retry-After; its date form and nonsense count as 0."""
    return min(float(header), _LONGEST_RETRY_AFTER_S) if header.isdecimal() else 0.0


def _reason(error: httpx2.RequestError) -> str:
    """Return the error's words, or its kind when it has none."""
    return str(error).rstrip(".") or type(error).__name__
