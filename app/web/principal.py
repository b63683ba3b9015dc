"""Who asks, and what they may do: principals and the scopes they hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Literal, TypeAlias, get_args

from app.errors import AppError

ScopeName: TypeAlias = Literal[
    "orders:read",
    "orders:write",
    "orders:fulfill",
    "products:read",
    "products:write",
    "inventory:read",
    "inventory:write",
    "events:read",
    "ops:read",
    "ops",
    "keys",
]

GrantName: TypeAlias = Literal[ScopeName, "*"]

SCOPES: tuple[ScopeName, ...] = get_args(ScopeName)
"""Every scope there is; a route asks for one of them by `app.web.auth.require`."""

ALL = "*"
"""Held in place of every scope, those of later versions included."""

IMPLIED_BY: Mapping[str, str] = {"ops:read": "ops"}
"""Scopes that are held by whoever holds another one."""

OWN_ONLY: frozenset[str] = frozenset({"orders:read", "orders:write", "products:read"})
"""Scopes whose routes show a customer nothing of another's, so that customers' keys may enter."""

FOR_CUSTOMERS: frozenset[str] = OWN_ONLY | {"inventory:read"}
"""Scopes that a key bound to a customer can hold."""


class UnauthenticatedError(AppError):
    """The request carries no key, or one that is not ours, or no longer."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED
    code: ClassVar[str] = "unauthenticated"
    title: ClassVar[str] = "A valid API key is needed"
    remedy: ClassVar[str] = (
        "Send a key as `Authorization: Bearer <key>`. An operator makes one by "
        "`python3 dev.py api-keys create`, or gives it a new secret by `api-keys rotate`."
    )

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        challenge = 'Bearer realm="orderly"' + (', error="invalid_token"' if sent else "")
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class InsufficientScopeError(AppError):
    """The key is valid, and may not do this."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    code: ClassVar[str] = "insufficient_scope"
    title: ClassVar[str] = "The API key lacks a scope"
    remedy: ClassVar[str] = "Ask for a key that holds `required_scopes`; no key changes its scopes."

    def __init__(self, detail: str, *missing: str) -> None:
        challenge = 'Bearer realm="orderly", error="insufficient_scope"'
        if missing:
            challenge += f', scope="{" ".join(missing)}"'
        super().__init__(
            detail, headers={"WWW-Authenticate": challenge}, required_scopes=list(missing)
        )


class NotForCustomersError(AppError):
    """The key is bound to a customer, and this is about more than one customer's orders."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    code: ClassVar[str] = "not_for_customers"
    title: ClassVar[str] = "Not for a customer's key"
    remedy: ClassVar[str] = "Use a key that is bound to no customer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever a request comes from.

    name is what idempotency, audit and rate limits know it by: a key's id, "key" for APP_API_KEY,
    "open" without any key. With a customer_id it sees and places that customer's orders only.
    rate_limit is in requests per minute; None leaves it to the setting.
    """

    name: str
    scopes: frozenset[str]
    customer_id: str | None = None
    rate_limit: int | None = None

    def lacks(self, scopes: Iterable[str]) -> list[str]:
        """Return those of scopes that it holds neither itself nor by another one."""
        return [one for one in scopes if self.scopes.isdisjoint(self.opening(one))]

    @staticmethod
    def opening(scope: str) -> frozenset[str | None]:
        """Return the scopes of which each opens what asks for this one."""
        return frozenset({scope, IMPLIED_BY.get(scope), ALL})


OPEN = Principal(name="open", scopes=frozenset({ALL}))
"""Everybody, while there is no key."""

KEY = Principal(name="key", scopes=frozenset({ALL}))
"""Whoever holds APP_API_KEY."""
