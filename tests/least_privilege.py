"""Least privilege: the users that the files of `deploy/` make, and what they are for in tests.

With TEST_LEAST_PRIVILEGE set, every application of the tests is one of them: on PostgreSQL the role
that may not change the schema, on the stream engine the user that has its streams and nothing else.
What a test does behind the application's back it does as somebody else, as an operator would.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import redis
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from app import schema
from app.bus.stream import Stream
from app.db import Database, postgresql
from app.settings import Settings
from tests.postgres import PostgresServer

ASKED = bool(os.environ.get("TEST_LEAST_PRIVILEGE"))

OWNER, APP, READER = "orderly_owner", "orderly_app", "orderly_reader"
PASSWORD = "replace-this-password"
"""Everybody's; it is what `users.acl` comes with."""

_DEPLOY = Path(__file__).parents[1] / "deploy"
ROLES, APPEND_ONLY, REPORTS = (
    _DEPLOY / "postgres" / name for name in ("roles.sql", "append-only.sql", "reader.sql")
)
ACL = _DEPLOY / "redis" / "users.acl"
STREAM_USER, ADMIN = "orderly", "admin"

_SUPERUSER = "postgres"


def own_prefix() -> str:
    """Return a prefix for the keys of a stream that nobody else uses, and users.acl allows."""
    return f"events:test-{uuid4().hex}"


def with_roles(server: PostgresServer, database: str) -> None:
    """Make the roles where they are not there yet, and give them this database.

    Raises PostgresUnavailableError for the server of TEST_DATABASE_URL, where roles of these names
    may be somebody's.
    """
    server._only_ours()
    passwords = {f"{role}_password": PASSWORD for role in ("owner", "app", "reader")}
    server.run(database, ROLES, **passwords)


def with_rights(server: PostgresServer, database: str) -> None:
    """Take from the application what it must not do in a database that was migrated."""
    for script in (APPEND_ONLY, REPORTS):
        server.run(database, script, user=OWNER)


def application(url: str) -> str:
    """Return the URL of a database or an engine for an application that a test starts itself."""
    if not ASKED:
        return url
    return as_role(url, APP) if url.startswith("postgres") else stream_user(url)


def owner_url(url: str) -> str:
    """Return the URL of a database for who may change its schema, given the application's."""
    return as_role(url, OWNER) if ASKED else url


def migrate(server: PostgresServer, url: str, *, with_users: bool = ASKED) -> None:
    """Migrate an empty database, given its URL, as a deployment does: with roles, by its owner."""
    if with_users:
        with_roles(server, url)
    named = as_role(url, OWNER) if with_users else url
    urls = {"DATABASE_URL": SecretStr(named), "REDIS_URL": SecretStr("redis://unused")}
    anyio.run(schema.migrate, Settings.model_validate(urls))
    if with_users:
        with_rights(server, url)


def for_owner(server: PostgresServer, url: str) -> str:
    """Return the URL of a database for who will migrate it, given that of who made it."""
    if ASKED:
        with_roles(server, url)
    return owner_url(url)


def operator_url(url: str) -> str:
    """Return the URL of a database for who may do everything, given the application's."""
    return as_role(url, _SUPERUSER) if ASKED else url


def as_role(url: str, role: str) -> str:
    """Return the URL of the same database for one of the roles."""
    given = make_url(url).set(username=role, password=PASSWORD)
    return given.render_as_string(hide_password=False)


@asynccontextmanager
async def owned(database: Database, role: str = OWNER) -> AsyncIterator[Database]:
    """Open the same database as who owns the tables, for what the application may not do."""
    if database.single_writer or not ASKED:
        yield database
        return
    url = database.writer.url.render_as_string(hide_password=False)
    opened = postgresql(as_role(url, role), pool=1)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def as_owner(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a transaction as who owns the tables."""
    async with owned(database) as opened, opened.writer.begin() as connection:
        yield connection


@asynccontextmanager
async def as_superuser(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a transaction as who made the server, for what not even the owner may do."""
    async with owned(database, _SUPERUSER) as opened, opened.writer.begin() as connection:
        yield connection


def acl_with_admin() -> str:
    """Return the users of users.acl, and one more who may do everything, as an aclfile."""
    return f"{ACL.read_text()}user {ADMIN} on >{PASSWORD} ~* &* +@all\n"


def stream_admin(url: str) -> str:
    """Return the URL of the same engine for who may do everything."""
    return _as(url, ADMIN, PASSWORD)


def stream_user(url: str) -> str:
    """Return the URL of the same engine for the user of users.acl."""
    return _as(url, STREAM_USER, PASSWORD)


def admin_url(stream: Stream) -> str:
    """Return the URL of the engine of a stream for who may do everything."""
    user = user_in(stream._url)
    if not user:
        return stream._url
    return stream_admin(stream._url) if user == STREAM_USER else os.environ["TEST_REDIS_URL"]


async def lose(stream: Stream, *contexts: str) -> None:
    """Have the engine lose the streams of these contexts."""
    # Without its version, which it would read from disk under a loop that watches for that.
    async with Redis.from_url(admin_url(stream), driver_info=None) as engine:
        await engine.delete(*map(stream.key, contexts))


def user_in(url: str) -> str:
    """Return the name of the user in a URL, empty when there is none."""
    return urlsplit(url).username or ""


def _as(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()


@contextmanager
def lent_user(url: str) -> Iterator[str]:
    """Make the user of users.acl on an engine that is not ours, for a while; give its URL."""
    (rules,) = (
        line.split()[2:]
        for line in ACL.read_text().splitlines()
        if line.startswith(f"user {STREAM_USER} ")
    )
    name = f"test-{uuid4().hex}"
    with redis.Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", name, *rules)
        try:
            yield _as(url, name, PASSWORD)
        finally:
            client.execute_command("ACL", "DELUSER", name)
