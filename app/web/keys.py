"""API keys: made, listed, rotated and revoked. Their secrets are kept as digests only."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Integer,
    Row,
    String,
    Table,
    Text,
    case,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import new_id
from app.bus.sql import UtcDateTime, at, code, later, now
from app.db import Base
from app.errors import AppError

LAST_USED_EVERY_S = 60
"""The precision of `last_used_at`."""

# Rows are never deleted: a key that was once there keeps the server closed.
api_keys = Table(
    "api_keys",
    Base.metadata,
    Column("id", code(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("prefix", code(40), nullable=False),
    Column("hash", code(64), nullable=False),
    Column("previous_hash", code(64)),
    Column("previous_until", UtcDateTime()),
    Column("scopes", Text(), nullable=False),
    Column("customer_id", code(120)),
    Column("rate_limit", Integer()),
    Column("created_by", code(80), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
    Column("expires_at", UtcDateTime()),
    Column("last_used_at", UtcDateTime()),
    Column("revoked_at", UtcDateTime()),
    CheckConstraint("rate_limit > 0", name="rate_limit"),
    CheckConstraint("(previous_hash IS NULL) = (previous_until IS NULL)", name="previous"),
)

# `ok_`, the digits of the id, and 256 random bits.
_SECRET = re.compile(r"ok_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")
_LETTERS_SHOWN = 4


class KeyNotFoundError(AppError):
    """There is no such API key."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/api-keys` lists the keys there are."


class KeyNotActiveError(AppError):
    """The key was revoked or has expired, so it gets no new secret."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "key_not_active"
    title: ClassVar[str] = "The API key is no longer active"
    remedy: ClassVar[str] = "Make a new key with the same scopes."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDraft:
    """A key to be made. rate_limit is in requests per minute."""

    name: str
    scopes: frozenset[str]
    customer_id: str | None = None
    rate_limit: int | None = None
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as its owner may see it: prefix tells secrets apart and opens nothing."""

    id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    customer_id: str | None
    rate_limit: int | None
    state: Literal["active", "expired", "revoked"]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    previous_until: datetime | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with the secret that opens it, which nobody can read again."""

    key: ApiKey
    secret: str


def id_of(secret: str) -> str | None:
    """Return the id of the key that a secret claims to be of; None when it is no secret of ours."""
    match = _SECRET.fullmatch(secret)
    return f"key_{match[1]}" if match else None


def digest(secret: str) -> str:
    """Return what is stored of a secret. It is random, so one fast hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(session: AsyncSession, draft: KeyDraft, *, by: str) -> Issued:
    """Make a key with a new secret. by is the name of the principal that asks.

    Where that is a key itself, the new one neither outlives it nor may ask more often.
    """
    id_ = f"key_{new_id().hex}"
    secret = _new_secret(id_)
    maker = (await session.execute(select(api_keys).where(api_keys.c.id == by))).first()
    rates = [draft.rate_limit, maker.rate_limit if maker else None]
    ends: list[ColumnElement[datetime]] = (
        [] if draft.expires_in_s is None else [later(draft.expires_in_s)]
    )
    if maker and maker.expires_at is not None:
        ends.append(at(maker.expires_at))
    values = {
        "id": id_,
        "name": draft.name,
        **_stored(secret),
        "scopes": " ".join(sorted(draft.scopes)),
        "customer_id": draft.customer_id,
        "rate_limit": min((rate for rate in rates if rate is not None), default=None),
        "created_by": by,
        "expires_at": _earliest(ends),
    }
    await session.execute(insert(api_keys).values(values))
    return Issued(await get_key(session, id_), secret)


def _earliest(ends: Sequence[ColumnElement[datetime]]) -> ColumnElement[datetime] | None:
    if len(ends) < 2:  # noqa: PLR2004 - two can be compared
        return ends[0] if ends else None
    one, other = ends
    return case((one < other, one), else_=other)


async def get_key(session: AsyncSession, key_id: str) -> ApiKey:
    """Return a key; raises KeyNotFoundError."""
    return _api_key(await _row(session, key_id))


async def list_keys(session: AsyncSession, *, before: str | None, limit: int) -> Sequence[ApiKey]:
    """Return up to limit keys, the newest first, those made before the given one."""
    page = select(api_keys, now().label("asked_at")).order_by(api_keys.c.id.desc()).limit(limit)
    if before is not None:
        page = page.where(api_keys.c.id < before)
    return [_api_key(row) for row in await session.execute(page)]


async def rotate(session: AsyncSession, key_id: str, *, overlap_s: int) -> Issued:
    """Give a key a new secret; the one before works for overlap_s seconds more, others no longer.

    Raises KeyNotFoundError, and KeyNotActiveError for a revoked or expired key.
    """
    row = await _row(session, key_id, locked=True)
    state = _api_key(row).state
    if state != "active":
        raise KeyNotActiveError(f"The key {key_id} is {state}: make a new one instead.")
    secret = _new_secret(key_id)
    await _change(
        session,
        key_id,
        **_stored(secret),
        previous_hash=row.hash,
        previous_until=later(overlap_s),
    )
    return Issued(await get_key(session, key_id), secret)


async def revoke(session: AsyncSession, key_id: str) -> ApiKey:
    """End a key for good; once more changes nothing. Raises KeyNotFoundError."""
    row = await _row(session, key_id, locked=True)
    if row.revoked_at is None:
        await _change(session, key_id, revoked_at=now())
    return await get_key(session, key_id)


async def find(session: AsyncSession, key_id: str) -> Row[Any] | None:
    """Return a key's whole row with the database's time as `asked_at`."""
    query = select(api_keys, now().label("asked_at")).where(api_keys.c.id == key_id)
    return (await session.execute(query)).first()


async def any_key(session: AsyncSession) -> bool:
    """Tell whether a key was ever made here."""
    return (await session.scalar(select(api_keys.c.id).limit(1))) is not None


async def note_use(session: AsyncSession, key_ids: Sequence[str]) -> None:
    """Note that these keys are in use, unless another process just did."""
    stale = or_(
        api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= later(-LAST_USED_EVERY_S)
    )
    wanted = api_keys.c.id.in_(sorted(key_ids))
    await session.execute(update(api_keys).where(wanted, stale).values(last_used_at=now()))


def _new_secret(key_id: str) -> str:
    return f"ok_{key_id.removeprefix('key_')}_{secrets.token_urlsafe(32)}"


def _stored(secret: str) -> dict[str, str]:
    shown = secret[: secret.index("_", 3) + 1 + _LETTERS_SHOWN]
    return {"prefix": shown, "hash": digest(secret)}


async def _row(session: AsyncSession, key_id: str, *, locked: bool = False) -> Row[Any]:
    query = select(api_keys, now().label("asked_at")).where(api_keys.c.id == key_id)
    found = (await session.execute(query.with_for_update() if locked else query)).first()
    if found is None:
        raise KeyNotFoundError(f"There is no API key {key_id}.")
    return found


async def _change(
    session: AsyncSession, key_id: str, **values: str | ColumnElement[datetime] | None
) -> None:
    await session.execute(update(api_keys).where(api_keys.c.id == key_id).values(**values))


def _api_key(row: Row[Any]) -> ApiKey:
    state: Literal["active", "expired", "revoked"] = "active"
    if row.revoked_at is not None:
        state = "revoked"
    elif row.expires_at is not None and row.expires_at <= row.asked_at:
        state = "expired"
    overlapping = row.previous_until is not None and row.previous_until > row.asked_at
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(row.scopes.split()),
        customer_id=row.customer_id,
        rate_limit=row.rate_limit,
        state=state,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        previous_until=row.previous_until if overlapping else None,
    )
