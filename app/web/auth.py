"""Who may speak to us: the API key, and the browsers' pages that must not."""

import hmac
import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError
from app.web import problem
from app.web.limits import CHANGING

OPEN = "open"
"""The principal of every request while no key is configured."""

KEY = "key"
"""The principal that holds the configured key: it has every right."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class UnauthenticatedError(AppError):
    """The request carries no key, or one that is not ours."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED
    code: ClassVar[str] = "unauthenticated"
    title: ClassVar[str] = "A valid API key is needed"


class HostNotAllowedError(AppError):
    """Without a key only this machine is served, and the Host header names another."""

    status: ClassVar[HTTPStatus] = HTTPStatus.MISDIRECTED_REQUEST
    code: ClassVar[str] = "host_not_allowed"
    title: ClassVar[str] = "This host name is not served without a key"


class ForeignOriginError(AppError):
    """A page of another site tries to change something in its visitor's name."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    code: ClassVar[str] = "foreign_origin"
    title: ClassVar[str] = "The request comes from another site's page"


class Gate:
    """ASGI middleware: refuses foreign hosts and origins, and recognises the key.

    It covers everything, the docs included; health alone is open to any Host, because probes
    address a container by whatever name they have. It does not refuse a missing key: `principal`
    does, on the routers that need one.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = None if key is None else key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer it."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except AppError as refusal:
                await problem.respond(refusal, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        hosts = _values(scope, b"host")
        if self._key is None and not _is_health(scope["path"]):
            self._require_local(scope, hosts)
        if scope["method"] in CHANGING:
            _refuse_foreign_pages(scope, hosts)
        scope.setdefault("state", {})["principal"] = self._principal(scope)

    def _require_local(self, scope: Scope, hosts: list[str]) -> None:
        """Refuse names and addresses other than this machine's own, whoever bound the socket."""
        address = (scope.get("server") or ("",))[0]
        reached = not address or address.startswith("/") or _is_loopback(_bracketed(address))
        if not (reached and _all_loopback(hosts)):
            msg = (
                f"No API key is configured, so only local host names are served, and this request "
                f"names {', '.join(hosts) or 'none'}. Use http://127.0.0.1 or http://localhost, or "
                "set APP_API_KEY."
            )
            raise HostNotAllowedError(msg)

    def _principal(self, scope: Scope) -> str | None:
        if self._key is None:
            return OPEN
        given = _values(scope, b"authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        known = scheme.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode("latin-1"), self._key
        )
        return KEY if known else None


class _Principal(SecurityBase):
    """The dependency `principal`; a class, because that is how OpenAPI learns of the key."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The API key.")
        self.scheme_name = "key"

    async def __call__(self, request: Request) -> str:
        """Return who asks; raises UnauthenticatedError when that is nobody we know."""
        known: str | None = request.state.principal
        if known is None:
            raise _unauthenticated(sent="authorization" in request.headers)
        return known


principal = _Principal()
"""Who asks, for routers: `APIRouter(dependencies=[Depends(principal)])`; "open" in open mode."""

Principal = Annotated[str, Depends(principal)]


def _unauthenticated(*, sent: bool) -> UnauthenticatedError:
    if sent:
        detail = "The API key is not the one this server was given."
        challenge = 'Bearer realm="orderly", error="invalid_token"'
    else:
        detail = "Send the API key as `Authorization: Bearer <key>`."
        challenge = 'Bearer realm="orderly"'
    return UnauthenticatedError(detail, headers={"WWW-Authenticate": challenge})


def _refuse_foreign_pages(scope: Scope, hosts: list[str]) -> None:
    """Raise ForeignOriginError when a browser says that the request is another site's doing.

    Programs send neither header, so nothing changes for them.
    """
    ours = {host.lower() for host in hosts}
    for origin in _values(scope, b"origin"):
        if not _same_host(origin, ours):
            msg = f"The page at {origin!r} may not change anything here."
            raise ForeignOriginError(msg)
    if "cross-site" in _values(scope, b"sec-fetch-site"):
        msg = "A page of another site may not change anything here."
        raise ForeignOriginError(msg)


def _same_host(origin: str, hosts: Iterable[str]) -> bool:
    """Compare host and port; the scheme may differ behind a proxy that ends TLS."""
    scheme, separator, host = origin.lower().partition("://")
    default = _DEFAULT_PORTS.get(scheme, "")
    return bool(separator) and host.removesuffix(default) in {
        known.removesuffix(default) for known in hosts
    }


def _all_loopback(hosts: list[str]) -> bool:
    return bool(hosts) and all(map(_is_loopback, hosts))


@lru_cache(maxsize=256)
def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _is_loopback(host: str) -> bool:
    """Tell whether a Host header names this machine, so that no other name was resolved to it."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name.rstrip(".") == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_health(path: str) -> bool:
    return path.startswith("/health/")


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
