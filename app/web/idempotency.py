"""A POST with an Idempotency-Key has its effect once, however often it is sent."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Table,
    Text,
    delete,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import UtcDateTime, code, dialect_of, later, now, upsert
from app.db import Base
from app.errors import AppError
from app.web import state

keys = Table(
    "idempotency_keys",
    Base.metadata,
    Column("principal", code(80), primary_key=True),
    Column("key", code(255), primary_key=True),
    Column("fingerprint", code(64), nullable=False),
    Column("status", Integer(), nullable=False),
    Column("headers", Text(), nullable=False),
    Column("body", Text(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "Send the same request again with the same key: it has its effect once.",
        }
    ]
}
"""What a route whose work runs in `once` tells OpenAPI: `@router.post(…, openapi_extra=KEYED)`."""

# Visible ASCII; the quotes of the IETF draft's form are not part of the key.
_KEY = re.compile(r'"([!#-\[\]-~]{1,255})"|([!#-~][!-~]{0,254})')
_LOCK_TIMEOUT = "55P03"
_PATIENCE_MS = 5000


class InvalidKeyError(AppError):
    """The Idempotency-Key header is not one key."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "invalid_idempotency_key"
    title: ClassVar[str] = "The Idempotency-Key cannot be used"
    remedy: ClassVar[str] = "Send one key of 1 to 255 visible ASCII characters."


class KeyMissingError(AppError):
    """The operator asks for a key on every POST, and there is none."""

    code: ClassVar[str] = "idempotency_key_missing"
    title: ClassVar[str] = "An Idempotency-Key is needed"
    remedy: ClassVar[str] = (
        "Send an Idempotency-Key that is new for each new request, such as a UUID."
    )


class KeyReusedError(AppError):
    """The key belongs to another request."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "idempotency_key_reused"
    title: ClassVar[str] = "The Idempotency-Key belongs to another request"
    remedy: ClassVar[str] = "Send the first request again unchanged, or this one with a new key."


class InFlightError(AppError):
    """A request with this key is still being worked on."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "idempotency_in_flight"
    title: ClassVar[str] = "The first request with this key is still under way"
    remedy: ClassVar[str] = "Send it again, with the same key, after Retry-After."
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a successful request is answered with: stored as it is, and sent again to a repeat."""

    status: HTTPStatus
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)


async def once(
    request: Request, body: BaseModel, work: Callable[[AsyncSession], Awaitable[Reply]]
) -> Response:
    """Run work in a write transaction of its own, and answer with its reply after the commit.

    With an Idempotency-Key the key's row, the work and the stored reply are that one transaction:
    a repeat gets the reply of the first, marked `Idempotency-Replayed: true`, and work does not
    run. Only success is stored: when work raises, the key is as free as before. Equal keys at the
    same time wait for the first, five seconds at most. A key belongs to its principal, and is
    forgotten after `idempotency_hours`.

    Raises InvalidKeyError, KeyMissingError, KeyReusedError, InFlightError, and what work raises.
    """
    runtime = await state.runtime(request)
    key = _key_of(request, required=runtime.settings.idempotency_required)
    async with runtime.database.write() as session:
        if key is None:
            return _response(await work(session))
        claim = _Claim(
            request.state.principal.name,
            key,
            _fingerprint(request, body),
            timedelta(hours=runtime.settings.idempotency_hours),
        )
        stored = await _take(session, claim)
        if stored is not None:
            return _replay(stored, claim)
        reply = await work(session)
        response = _response(reply)
        await session.execute(
            update(keys)
            .where(claim.row)
            .values(
                fingerprint=claim.fingerprint,
                status=int(reply.status),
                headers=json.dumps(dict(reply.headers)),
                body=bytes(response.body).decode(),
                created_at=now(),
            )
        )
    return response


async def forget(session: AsyncSession, limit: int, *, hours: float) -> int:
    """Remove up to limit keys older than hours, and return how many; one in use stays."""
    old = (
        select(keys.c.principal, keys.c.key)
        .where(keys.c.created_at <= later(-hours * 3600))
        .order_by(keys.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    row = tuple_(keys.c.principal, keys.c.key)
    gone = await session.scalars(delete(keys).where(row.in_(select(old))).returning(keys.c.key))
    return len(gone.all())


@dataclass(frozen=True, slots=True)
class _Claim:
    """A request's wish to be the first with its key."""

    principal: str
    key: str
    fingerprint: str
    lifetime: timedelta

    @property
    def row(self) -> ColumnElement[bool]:
        """The condition that finds its row."""
        return (keys.c.principal == self.principal) & (keys.c.key == self.key)


async def _take(session: AsyncSession, claim: _Claim) -> Row[Any] | None:
    """Take the key and return None, or return the row of the request that had it before.

    The key is taken before anything else is locked: the insert waits for a transaction that
    inserted the same key, so whoever comes second sees a finished reply. The row of an expired
    key is locked instead, and written over at the end.
    """
    if dialect_of(session).name == "postgresql":
        await session.execute(text(f"SET LOCAL lock_timeout = {_PATIENCE_MS}"))
    insert = upsert(session, keys).values(
        principal=claim.principal,
        key=claim.key,
        fingerprint=claim.fingerprint,
        status=0,
        headers="",
        body="",
    )
    try:
        inserted = await session.execute(insert.on_conflict_do_nothing().returning(keys.c.key))
        if inserted.first() is not None:
            return None
        found = await session.execute(
            select(keys, now().label("asked_at")).where(claim.row).with_for_update()
        )
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
            raise _in_flight() from error
        raise
    stored = found.first()
    if stored is None:  # forgotten between the two statements
        raise _in_flight()
    return None if stored.asked_at - stored.created_at >= claim.lifetime else stored


def _replay(stored: Row[Any], claim: _Claim) -> Response:
    if stored.fingerprint != claim.fingerprint:
        msg = (
            "Another request used this Idempotency-Key: send that one again unchanged, or this one "
            "with a new key."
        )
        raise KeyReusedError(msg)
    headers = json.loads(stored.headers) | {"Idempotency-Replayed": "true"}
    return Response(stored.body, stored.status, headers, "application/json")


def _response(reply: Reply) -> Response:
    return Response(
        reply.body.model_dump_json(by_alias=True),
        reply.status,
        dict(reply.headers),
        "application/json",
    )


def _in_flight() -> InFlightError:
    msg = "The first request with this Idempotency-Key has no answer yet: try again in a moment."
    return InFlightError(msg, headers={"Retry-After": "1"})


def _key_of(request: Request, *, required: bool) -> str | None:
    given = request.headers.getlist("idempotency-key")
    if not given:
        if required:
            msg = "Send an Idempotency-Key header: any text that is new for each new request."
            raise KeyMissingError(msg)
        return None
    match = _KEY.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        msg = "Send one Idempotency-Key of 1 to 255 visible ASCII characters, bare or in quotes."
        raise InvalidKeyError(msg)
    return match[1] or match[2]


def _fingerprint(request: Request, body: BaseModel) -> str:
    """Digest what the request asks for.

    What was left unsent does not count, so that a default which the next version adds does not
    make an old key look reused.
    """
    asked = [
        request.method,
        request.url.path,
        request.url.query,
        body.model_dump_json(by_alias=True, exclude_unset=True),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
