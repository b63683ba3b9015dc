"""Keys in a database, and who is let in by them, for the tests of keys."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, update

from app.bus.sql import later
from app.db import Database
from app.web import keys
from app.web.keyring import KeyRing
from app.web.keys import ApiKey, Issued, KeyDraft
from app.web.principal import Principal, UnauthenticatedError

READER = KeyDraft(name="reader", scopes=frozenset({"orders:read", "products:read"}))


async def made(database: Database, draft: KeyDraft = READER) -> Issued:
    async with database.write() as session:
        return await keys.create(session, draft, by="test")


async def rotated(database: Database, key: ApiKey, overlap_s: int = 0) -> Issued:
    async with database.write() as session:
        return await keys.rotate(session, key.id, overlap_s=overlap_s)


async def revoked(database: Database, key: ApiKey) -> ApiKey:
    async with database.write() as session:
        return await keys.revoke(session, key.id)


async def got(database: Database, key: ApiKey) -> ApiKey:
    async with database.read() as session:
        return await keys.get_key(session, key.id)


async def ends(database: Database, key: ApiKey, in_s: float) -> None:
    async with database.write() as session:
        await session.execute(
            update(keys.api_keys).where(keys.api_keys.c.id == key.id).values(expires_at=later(in_s))
        )


def ring(**more: float) -> KeyRing:
    return KeyRing(open_without_keys=False, **more)  # type: ignore[arg-type]  # ints are floats


async def admitted(keyring: KeyRing, database: Database, secret: str) -> Principal:
    return await keyring.admit(database, secret, sent=True)


async def refusal(keyring: KeyRing, database: Database, secret: str) -> str:
    """Return what is said to the holder of a secret that opens nothing."""
    with pytest.raises(UnauthenticatedError) as refused:
        await admitted(keyring, database, secret)
    return refused.value.detail


@contextmanager
def reads(database: Database) -> Iterator[list[str]]:
    """Collect the statements that the reader runs meanwhile."""
    statements: list[str] = []

    def before(connection: Connection, cursor: object, statement: str, *rest: object) -> None:  # noqa: ARG001 - the hook's signature
        if statement != "BEGIN":
            statements.append(statement)

    event.listen(database.reader.sync_engine, "before_cursor_execute", before)
    try:
        yield statements
    finally:
        event.remove(database.reader.sync_engine, "before_cursor_execute", before)
