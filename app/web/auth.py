"""Who may speak to us: the API key, and the browsers' pages that must not."""

import hmac
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Annotated, ClassVar

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError
from app.web import problem, rate, state
from app.web.body import CHANGING
from app.web.heads import heads
from app.web.keyring import KeyRing
from app.web.loopback import is_loopback
from app.web.principal import (
    KEY,
    OWN_ONLY,
    SCOPES,
    InsufficientScopeError,
    NotForCustomersError,
    Principal,
    ScopeName,
    UnauthenticatedError,
)

IN_PROCESS = "orderly.principal"
"""Where the scope of a request that this process sends itself has who asks; no client's has it."""

ASKS_FOR_A_SCOPE = "orderly.asks_for_a_scope"
"""Where the scope of a request says that its route declares one, where that was looked at."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class HostNotAllowedError(AppError):
    """Without APP_API_KEY only this machine is served, and the Host header names another."""

    status: ClassVar[HTTPStatus] = HTTPStatus.MISDIRECTED_REQUEST
    code: ClassVar[str] = "host_not_allowed"
    title: ClassVar[str] = "This host name is not served without a key"
    remedy: ClassVar[str] = "Use http://127.0.0.1 or http://localhost, or have APP_API_KEY set."


class ForeignOriginError(AppError):
    """A page of another site tries to change something in its visitor's name."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    code: ClassVar[str] = "foreign_origin"
    title: ClassVar[str] = "The request comes from another site's page"
    remedy: ClassVar[str] = "Send it from a program, or from a page of this server."


class Gate:
    """ASGI middleware: refuses foreign hosts and origins, and takes the key from the request.

    It covers everything, the docs included; health alone is open to any Host, because probes
    address a container by whatever name they have. It does not refuse a missing key, nor look one
    up: `principal` and `require` do, on the routes that need one. Once the reply is sent it writes
    down that a key was used.

    key is APP_API_KEY. Without it only this machine is served, whatever keys the database holds.
    per_minute is the rate limit of keys that have none of their own.
    """

    def __init__(self, app: ASGIApp, key: str | None, per_minute: int | None = None) -> None:
        self._app = app
        self._buckets = rate.Buckets(per_minute)
        self._key = None if key is None else key.encode()
        self._ring = KeyRing(open_without_keys=key is None, own=key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except AppError as refusal:
            await problem.respond(refusal, scope, receive, send)
            return
        await self._app(scope, receive, send)
        if self._ring.has_notes:
            await self._ring.write_notes(scope["app"].state.runtime.database)

    def _check(self, scope: Scope) -> None:
        if IN_PROCESS in scope:
            # Whoever sent it has passed here before, and was charged then.
            scope.setdefault("state", {}).update(principal=scope[IN_PROCESS], rate_headers=None)
            return
        hosts = _values(scope, b"host")
        if self._key is None and not _is_health(scope["path"]):
            self._require_local(scope, hosts)
        if scope["method"] in CHANGING:
            _refuse_foreign_pages(scope, hosts)
        given = _values(scope, b"authorization")
        token = _token(given)
        scope.setdefault("state", {}).update(
            principal=KEY if self._is_ours(token) else None,
            key_ring=self._ring,
            buckets=self._buckets,
            key_sent=bool(given),
            key_secret=token,
        )

    def _require_local(self, scope: Scope, hosts: list[str]) -> None:
        """Refuse names and addresses other than this machine's own, whoever bound the socket."""
        address = (scope.get("server") or ("",))[0]
        reached = not address or address.startswith("/") or is_loopback(_bracketed(address))
        if not (reached and hosts and all(map(is_loopback, hosts))):
            msg = (
                f"APP_API_KEY is not set, so only local host names are served, and this request "
                f"names {', '.join(hosts) or 'none'}. Use http://127.0.0.1 or http://localhost, or "
                "set APP_API_KEY."
            )
            raise HostNotAllowedError(msg)

    def _is_ours(self, token: str | None) -> bool:
        if token is None or self._key is None:
            return False
        return hmac.compare_digest(token.encode("latin-1"), self._key)


async def identify(request: Request) -> Principal:
    """Return who asks, looked up and charged once per request.

    Raises UnauthenticatedError and RateLimitedError. Afterwards it is `request.state.principal`.
    """
    found = request.scope["state"]
    known: Principal | None = found["principal"]
    if known is None:
        ring: KeyRing = found["key_ring"]
        known = found["principal"] = await ring.admit(
            await state.database(request), found["key_secret"], sent=found["key_sent"]
        )
    rate.spend(request.scope, known)
    return known


def customer_of(request: Request) -> str | None:
    """Return the customer whose orders alone this request may see and place; None for all.

    Raises UnauthenticatedError where no dependency asked for a key, so that forgetting it does
    not mean everybody's orders.
    """
    known: Principal | None = request.scope["state"]["principal"]
    if known is None:
        raise UnauthenticatedError("This operation has not asked for a key.", sent=False)
    return known.customer_id


class _Guard(SecurityBase):
    """The dependency `principal`; a class, because that is how OpenAPI learns of the key."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="An API key with the scope of the operation.")
        self.scheme_name = "key"

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; refuses everybody where the route has not said for what scope."""
        known = await identify(request)
        scope = request.scope
        if not (scope.get(ASKS_FOR_A_SCOPE) or any(True for _ in _requirements(scope))):
            raise InsufficientScopeError("No scope opens this operation.")
        return known


class Require(_Guard):
    """The dependency that `require` makes."""

    def __init__(self, scope: ScopeName, *, customers: bool) -> None:
        super().__init__()
        self.scope = scope
        self.customers = customers
        self._opened_by = Principal.opening(scope)

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; refuses a key without the scope, and customers' keys where told to."""
        known = await identify(request)
        if self._opened_by.isdisjoint(known.scopes):
            raise InsufficientScopeError(f"The API key needs the scope {self.scope}.", self.scope)
        if known.customer_id is not None and not self.customers:
            raise NotForCustomersError("A key that is bound to a customer cannot do this.")
        return known


principal = _Guard()
"""Who asks, for routers: `APIRouter(dependencies=[Depends(principal)])`.

On such a router a route that declares no scope by `require` refuses everybody.
"""

PrincipalDep = Annotated[Principal, Depends(principal)]


async def _name_of(who: PrincipalDep) -> str:
    return who.name


Who = Annotated[str, Depends(_name_of)]
"""The name of who asks, for what is written down about it."""


def require(scope: ScopeName, *, customers: bool | None = None) -> Require:
    """Return the dependency that lets only holders of scope in: `Depends(require("orders:read"))`.

    On a route or on a whole router; several on one route must all be held. customers tells whether
    keys bound to a customer may come in: such a route shows them nothing that is another's. Unless
    told otherwise they may where the scope is orders:read, orders:write or products:read.
    """
    if scope not in SCOPES:
        msg = f"there is no scope {scope!r}, only {', '.join(SCOPES)}"
        raise ValueError(msg)
    return Require(scope, customers=scope in OWN_ONLY if customers is None else customers)


def requirements(dependant: Dependant) -> Iterator[Require]:
    """Yield what a route's dependencies require."""
    for one in dependant.dependencies:
        if isinstance(one.call, Require):
            yield one.call
        else:
            yield from requirements(one)


def asks_for_a_scope(dependant: Dependant) -> bool:
    """Tell whether a route with these dependencies declares a scope."""
    return any(True for _ in requirements(dependant))


def _requirements(scope: Scope) -> Iterator[Require]:
    # As in `app.web.limits`: what including a router added is known to this context only.
    inclusion = scope.get("fastapi", {}).get("effective_route_context")
    yield from requirements((inclusion or scope["route"]).dependant)


def _token(given: list[str]) -> str | None:
    """Return the Bearer token of the one Authorization header; two are none."""
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else None


def _refuse_foreign_pages(scope: Scope, hosts: list[str]) -> None:
    """Raise ForeignOriginError when a browser says that the request is another site's doing.

    Programs send neither header, so nothing changes for them.
    """
    said = heads(scope)
    if b"origin" not in said and b"sec-fetch-site" not in said:
        return
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


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _is_health(path: str) -> bool:
    return path.startswith("/health/")


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in heads(scope).get(name, ())]
