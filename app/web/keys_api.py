"""The REST API of API keys: made, listed, rotated and revoked by holders of the scope `keys`."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal, Self

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncSession

from app.web import keys
from app.web.auth import PrincipalDep, require
from app.web.fields import Name, Page, Text, Wire
from app.web.idempotency import KEYED, Reply, once
from app.web.keyring import KeyRing
from app.web.keys import ApiKey, Issued, KeyDraft, KeyNotActiveError, KeyNotFoundError
from app.web.limits import known_parameters
from app.web.openapi import refuses
from app.web.paging import PagingDep
from app.web.principal import (
    ALL,
    FOR_CUSTOMERS,
    OPEN,
    GrantName,
    InsufficientScopeError,
    Principal,
)
from app.web.problem import field_problem, validation_failed
from app.web.state import DatabaseDep

_DAY_S = 86_400
_TEN_YEARS_S = 3650 * _DAY_S
_LONGEST_OVERLAP_S = 30 * _DAY_S

log = structlog.get_logger(__name__)

router = APIRouter(
    prefix="/v1/api-keys",
    tags=["keys"],
    dependencies=[Depends(require("keys")), Depends(known_parameters)],
)

KeyId = Annotated[str, Name(64)]
Customer = Annotated[
    str,
    Name(120),
    Field(description="Its holder sees and places this customer's orders only."),
]


class NewKey(Wire):
    """A key to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "web shop", "scopes": ["orders:read", "orders:write"]}]
        }
    )

    name: Annotated[
        str, Text(100), Field(description="Who holds it, or what for.", examples=["web shop"])
    ]
    customer_id: Customer | None = None
    scopes: Annotated[
        list[GrantName],
        Field(
            min_length=1,
            max_length=20,
            description="What it may do; `*` is everything. A customer's key: "
            f"{', '.join(sorted(FOR_CUSTOMERS))}.",
            examples=[["orders:read", "orders:write"]],
        ),
    ]
    rate_limit: Annotated[
        int | None,
        Field(
            strict=True,
            ge=1,
            le=1_000_000,
            description="Requests per minute; left out, the server's APP_RATE_LIMIT.",
        ),
    ] = None
    expires_in_s: Annotated[
        int | None,
        Field(strict=True, ge=1, le=_TEN_YEARS_S, description="Left out, it does not expire."),
    ] = None

    @field_validator("scopes")
    @classmethod
    def _fit_for_customers(cls, scopes: list[str], info: ValidationInfo) -> list[str]:
        excess = sorted(set(scopes) - FOR_CUSTOMERS)
        if info.data.get("customer_id") is not None and excess:
            code = "not_for_customers"
            raise PydanticCustomError(
                code, "A customer's key cannot hold {scopes}", {"scopes": ", ".join(excess)}
            )
        return scopes


class Rotation(Wire):
    """How a key gets its new secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_s": 3600}]})

    overlap_s: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=_LONGEST_OVERLAP_S,
            description="Seconds for which the secret before works as well.",
            examples=[3600],
        ),
    ] = 0


class KeyView(BaseModel):
    """An API key. `prefix` is how its secret begins."""

    id: Annotated[str, Field(examples=["key_0199f2c43c7b7d0a8b0e5f1d2c3b4a59"])]
    name: str
    prefix: Annotated[str, Field(examples=["ok_0199f2c43c7b7d0a8b0e5f1d2c3b4a59_Xq3v"])]
    scopes: list[str]
    customer_id: str | None
    rate_limit: int | None
    state: Literal["active", "expired", "revoked"]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="To within a minute.")]
    revoked_at: datetime | None
    previous_secret_until: Annotated[
        datetime | None, Field(description="When the secret before the last rotation ends.")
    ]

    @classmethod
    def of(cls, key: ApiKey, **more: str | None) -> Self:
        """Show a key."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            customer_id=key.customer_id,
            rate_limit=key.rate_limit,
            state=key.state,
            created_by=key.created_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
            previous_secret_until=key.previous_until,
            **more,
        )


class IssuedKeyView(KeyView):
    """A key with its new secret, which is never shown again: null where a reply is replayed."""

    secret: Annotated[str | None, Field(description="Send it as `Authorization: Bearer …`.")] = None


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=IssuedKeyView,
    responses=refuses(InsufficientScopeError),
    openapi_extra=KEYED,
    summary="Make an API key",
)
async def create_api_key(asked: NewKey, who: PrincipalDep, request: Request) -> Response:
    """Make a key, and show its secret this once: only a digest is stored.

    A repeat with the same Idempotency-Key makes no second key and shows the first without its
    secret; rotate it when the first answer was lost. Nobody hands out scopes that are not theirs,
    and a key that a key makes neither outlives it nor may ask more often.
    The first key of a server without APP_API_KEY ends its being open, and so must hold `keys`.
    """
    _refuse_more_than_own(who, asked.scopes)
    if who is OPEN and not {"keys", ALL} & set(asked.scopes):
        detail = "The first key closes the server, so it must hold keys, unless APP_API_KEY is set"
        raise validation_failed([field_problem("body", ["scopes"], "keys_needed", detail)])
    draft = KeyDraft(
        name=asked.name,
        scopes=frozenset(asked.scopes),
        customer_id=asked.customer_id,
        rate_limit=asked.rate_limit,
        expires_in_s=asked.expires_in_s,
    )

    async def work(session: AsyncSession) -> Issued:
        return await keys.create(session, draft, by=who.name)

    return await _issue(request, asked, work, HTTPStatus.CREATED)


@router.get("", summary="List API keys")
async def list_api_keys(paging: PagingDep, database: DatabaseDep) -> Page[KeyView]:
    """Return keys, the newest first, those that ended included; never a secret."""
    before = paging.after({}, str)
    async with database.read() as session:
        found = await keys.list_keys(
            session, before=None if before is None else str(before[0]), limit=paging.limit + 1
        )
    return paging.page([KeyView.of(key) for key in found], {}, lambda one: (one.id,))


@router.get("/{key_id}", responses=refuses(KeyNotFoundError), summary="Get an API key")
async def get_api_key(key_id: KeyId, database: DatabaseDep) -> KeyView:
    """Return a key without its secret."""
    async with database.read() as session:
        return KeyView.of(await keys.get_key(session, key_id))


@router.post(
    "/{key_id}/rotate",
    response_model=IssuedKeyView,
    responses=refuses(KeyNotFoundError, KeyNotActiveError, InsufficientScopeError),
    openapi_extra=KEYED,
    summary="Give an API key a new secret",
)
async def rotate_api_key(
    key_id: KeyId, who: PrincipalDep, request: Request, asked: Rotation | None = None
) -> Response:
    """Show a new secret this once; the one before works for `overlap_s` seconds more.

    A secret from before that one ends now. Other processes of this server hear of it within five
    seconds. Nobody takes over a key that holds scopes which are not theirs.
    """
    rotation = asked or Rotation()

    async def work(session: AsyncSession) -> Issued:
        _refuse_more_than_own(who, (await keys.get_key(session, key_id)).scopes)
        return await keys.rotate(session, key_id, overlap_s=rotation.overlap_s)

    return await _issue(request, rotation, work, HTTPStatus.OK)


@router.delete("/{key_id}", responses=refuses(KeyNotFoundError), summary="Revoke an API key")
async def revoke_api_key(
    key_id: KeyId, who: PrincipalDep, request: Request, database: DatabaseDep
) -> KeyView:
    """End a key for good: in this process at once, in others of this server within five seconds."""
    async with database.write() as session:
        revoked = await keys.revoke(session, key_id)
    _ring(request).changed(key_id)
    log.info("api key revoked", key_id=key_id, who=who.name)
    return KeyView.of(revoked)


async def _issue(
    request: Request,
    asked: Wire,
    work: Callable[[AsyncSession], Awaitable[Issued]],
    status: HTTPStatus,
) -> Response:
    """Answer with the key that work issued; its secret goes into this reply and not its copy."""
    issued: list[Issued] = []

    async def run(session: AsyncSession) -> Reply:
        done = await work(session)
        issued.append(done)
        headers = {"Location": f"/v1/api-keys/{done.key.id}", "Cache-Control": "no-store"}
        return Reply(status=status, body=IssuedKeyView.of(done.key), headers=headers)

    reply = await once(request, asked, run)
    if not issued:
        return reply
    [done] = issued
    _ring(request).changed(done.key.id)
    log.info("api key issued", key_id=done.key.id, who=request.state.principal.name)
    view = IssuedKeyView.of(done.key, secret=done.secret)
    headers = {name: reply.headers[name] for name in ("Location", "Cache-Control")}
    return Response(view.model_dump_json(), reply.status_code, headers, "application/json")


def _refuse_more_than_own(who: Principal, scopes: Iterable[str]) -> None:
    missing = who.lacks(sorted(scopes))
    if missing:
        detail = f"Only who holds {', '.join(missing)} can hand it out."
        raise InsufficientScopeError(detail, *missing)


def _ring(request: Request) -> KeyRing:
    ring: KeyRing = request.state.key_ring
    return ring
