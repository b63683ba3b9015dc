"""Idempotency keys in the database: taken before anything else, kept with a reply, forgotten."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    Column,
    Executable,
    FromClause,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.prepared import prepared
from app.bus.sql import UtcDateTime, code, later, now, upsert
from app.db import Base

Id: TypeAlias = tuple[str, str]
"""What a key is known by: its principal's name, and the key."""

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


@dataclass(frozen=True, slots=True)
class Claim:
    """A request's wish to be the first with its key; the fingerprint tells what it asks for."""

    id: Id
    fingerprint: str
    lifetime: timedelta


class Kept(NamedTuple):
    """The reply that a key stands for."""

    fingerprint: str
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knows of keys: those nobody had, those too old to count, and replies."""

    fresh: set[Id] = field(default_factory=set)
    expired: set[Id] = field(default_factory=set)
    kept: dict[Id, Kept] = field(default_factory=dict)


async def take(session: AsyncSession, claims: Mapping[Id, Claim]) -> Found:
    """Take keys that are free or expired, and return the replies of the others.

    They are taken, sorted, before anything else is locked: the insert waits for a transaction that
    inserted the same key, so whoever comes second sees a finished reply. The row of an expired key
    is locked instead, and written over at the end. A key in none of the three was forgotten
    between the two statements.
    """
    asked = [claims[id_] for id_ in sorted(claims)]
    inserted = await _insert.run(session, _columns(asked))
    found = Found(fresh={(principal, key) for principal, key in inserted})
    others = [claim for claim in asked if claim.id not in found.fresh]
    if others:
        for principal, key, asked_at, created_at, *kept in await _lock.run(
            session, _columns(others)
        ):
            id_ = (principal, key)
            if asked_at - created_at >= claims[id_].lifetime:
                found.expired.add(id_)
            else:
                found.kept[id_] = _kept(*kept)
    return found


async def keep(session: AsyncSession, replies: Mapping[Id, Kept]) -> None:
    """Store the replies of keys that were taken."""
    ids = sorted(replies)
    kept = [replies[id_] for id_ in ids]
    await _store.run(
        session,
        {
            "principal": [principal for principal, _ in ids],
            "key": [key for _, key in ids],
            "fingerprint": [reply.fingerprint for reply in kept],
            "status": [reply.status for reply in kept],
            "headers": [json.dumps(dict(reply.headers)) for reply in kept],
            "body": [reply.body for reply in kept],
        },
    )


async def give_back(session: AsyncSession, claims: Iterable[Claim]) -> None:
    """Make keys that were fresh free again."""
    await _free.run(session, _columns(claims))


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


def _columns(claims: Iterable[Claim]) -> dict[str, list[Any]]:
    rows = [(*claim.id, claim.fingerprint) for claim in claims]
    return {
        "principal": [row[0] for row in rows],
        "key": [row[1] for row in rows],
        "fingerprint": [row[2] for row in rows],
    }


def _kept(fingerprint: str, status: int, headers: str, body: str) -> Kept:
    return Kept(fingerprint, status, json.loads(headers), body)


@prepared(principal=String(), key=String(), fingerprint=String())
def _insert(session: AsyncSession, given: FromClause) -> Executable:
    return (
        upsert(session, keys)
        .from_select(
            ["principal", "key", "fingerprint", "status", "headers", "body"],
            select(given, literal(0, Integer()), literal("", Text()), literal("", Text())).where(
                given.c.key.is_not(None)  # without a WHERE, SQLite takes ON CONFLICT for a join's
            ),
        )
        .on_conflict_do_nothing()
        .returning(keys.c.principal, keys.c.key)
    )


@prepared(principal=String(), key=String())
def _lock(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        select(
            keys.c.principal,
            keys.c.key,
            now(),
            keys.c.created_at,
            keys.c.fingerprint,
            keys.c.status,
            keys.c.headers,
            keys.c.body,
        )
        .join(given, (keys.c.principal == given.c.principal) & (keys.c.key == given.c.key))
        .order_by(keys.c.principal, keys.c.key)
        .with_for_update(of=keys)
    )


@prepared(
    principal=String(),
    key=String(),
    fingerprint=String(),
    status=Integer(),
    headers=Text(),
    body=Text(),
)
def _store(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return (
        update(keys)
        .where(keys.c.principal == given.c.principal, keys.c.key == given.c.key)
        .values(
            fingerprint=given.c.fingerprint,
            status=given.c.status,
            headers=given.c.headers,
            body=given.c.body,
            created_at=now(),
        )
    )


@prepared(principal=String(), key=String())
def _free(session: AsyncSession, given: FromClause) -> Executable:
    del session
    row = tuple_(keys.c.principal, keys.c.key)
    return delete(keys).where(row.in_(select(given.c.principal, given.c.key)))
