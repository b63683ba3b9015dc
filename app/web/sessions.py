"""The console's sessions: a cookie that stands for an API key, known to every API process."""

import secrets

from fastapi import Request
from sqlalchemy import Column, Index, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import UtcDateTime, code, later, now
from app.db import Base, Database
from app.web import auth, keys, rate, state
from app.web.keyring import KeyRing
from app.web.principal import OPEN, Principal

COOKIE = "orderly_session"
"""The cookie's name. It is sent for /console alone, so no request to /v1 carries it."""

LIFETIME_S = 12 * 3600
"""How long a session lasts, in seconds."""

# digest is of the secret that was signed in with: what ends the secret ends the session.
console_sessions = Table(
    "console_sessions",
    Base.metadata,
    Column("token_digest", code(64), primary_key=True),
    Column("principal", code(40), nullable=False),
    Column("digest", code(64), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
    Column("expires_at", UtcDateTime(), nullable=False),
    Index("ix_console_sessions_expires_at", "expires_at"),
)


async def begin(database: Database, who: Principal, secret: str) -> str | None:
    """Begin a session for who by the secret that was shown, in a transaction of its own.

    Return the token for the cookie; None where nobody needs one, because there is no key.
    """
    if who.name == OPEN.name:
        return None
    token = secrets.token_urlsafe(32)
    async with database.write() as session:
        await session.execute(
            insert(console_sessions).values(
                token_digest=keys.digest(token),
                principal=who.name,
                digest=keys.digest(secret),
                expires_at=later(LIFETIME_S),
            )
        )
    return token


async def end(database: Database, token: str) -> None:
    """End a session everywhere, in a transaction of its own; one that is gone is ended."""
    mine = console_sessions.c.token_digest == keys.digest(token)
    async with database.write() as session:
        await session.execute(delete(console_sessions).where(mine))


async def identify(request: Request) -> Principal:
    """Return who asks for a page: by a key, by the cookie, or anybody while there is no key.

    Charged once per request, as any. Raises UnauthenticatedError and RateLimitedError.
    """
    known = request.scope["state"]
    if known["key_sent"]:
        return await auth.identify(request)
    ring: KeyRing = known["key_ring"]
    database = await state.database(request)
    token = request.cookies.get(COOKIE)
    found = None if token is None else await _session(database, token)
    if found is None:
        who = await ring.admit(database, None, sent=token is not None)
    else:
        who = await ring.holder(database, *found)
    rate.spend(request.scope, who)
    return who


async def forget(session: AsyncSession, limit: int) -> int:
    """Remove up to limit sessions that have ended, and return how many."""
    ended = (
        select(console_sessions.c.token_digest)
        .where(console_sessions.c.expires_at <= now())
        .order_by(console_sessions.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("ended")
    )
    which = console_sessions.c.token_digest.in_(select(ended.c.token_digest))
    gone = await session.scalars(
        delete(console_sessions).where(which).returning(console_sessions.c.token_digest)
    )
    return len(gone.all())


async def _session(database: Database, token: str) -> tuple[str, str] | None:
    """Return the principal and the digest of its secret; None for a session that is no more."""
    query = select(console_sessions.c.principal, console_sessions.c.digest).where(
        console_sessions.c.token_digest == keys.digest(token),
        console_sessions.c.expires_at > now(),
    )
    async with database.read() as session:
        found = (await session.execute(query)).first()
    return None if found is None else (found.principal, found.digest)
