"""The one user of deploy/redis/users.acl can do all that Orderly does, and nothing besides.

TEST_LEAST_PRIVILEGE=1 runs the whole suite so; these tests always do.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from app.bus.flow import look
from app.bus.preflight import Preflight
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.stream import Stream
from app.bus.stream_view import stream_view
from app.bus.trim import Room, Trim
from app.bus.wakeup import Announcer, WakeUp, WakeUpReceiver
from app.db import Database
from tests import least_privilege
from tests.bus.sample import (
    Effects,
    Rang,
    listening,
    loops,
    ring,
    running,
    subscribed,
    until_handled,
)
from tests.valkey import ValkeyServer

SQLITE = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Guarded:
    """An engine, for the user of users.acl and for who may do everything."""

    url: str
    admin_url: str


@pytest.fixture
def valkey_with_users() -> Iterator[Guarded]:
    server = ValkeyServer(persistent=False, users=True)
    server.start()
    yield Guarded(server.url, server.admin_url)
    server.stop()


@pytest.fixture
def redis_with_users() -> Iterator[Guarded]:
    given = os.environ.get("TEST_REDIS_URL")
    if not given:
        pytest.skip("TEST_REDIS_URL names no Redis to test on")
    with least_privilege.lent_user(given) as url:
        yield Guarded(url, given)


@pytest.fixture(params=["valkey", "redis"])
def guarded(request: pytest.FixtureRequest) -> Guarded:
    found: Guarded = request.getfixturevalue(f"{request.param}_with_users")
    return found


@SQLITE
async def test_one_user_may_do_all_that_is_done(database: Database, guarded: Guarded) -> None:
    stream = Stream(guarded.url, prefix=least_privilege.own_prefix())
    ears, wake_up = listening(Effects()), WakeUp()
    await subscribed(database, ears)
    assert await stream.own("ours") == "ours"

    async with running(
        *loops(database, stream, [ears]),
        Trim(database, stream, Room(100)),
        Reconcile(database, stream, ReconcilePolicy(after_s=0, every_s=0.1)),
        Preflight(stream),
        Announcer(stream, wake_up),
        WakeUpReceiver(stream, wake_up),
    ) as supervisor:
        await ring(database, *(Rang(bell="a") for _ in range(20)))
        wake_up.committed()
        await until_handled(database, "ears", 20)
        assert supervisor.troubles() == []
    await stream.wake_others()
    flow = await look(database, stream, cap=100)
    assert flow.engine is not None
    view = await stream_view(stream, "bells")
    assert [group.subscriber for group in view.groups] == ["ears"]
    await least_privilege.lose(stream, "bells")
    await stream.close()

    user = least_privilege.user_in(guarded.url)
    with redis.Redis.from_url(guarded.admin_url, decode_responses=True) as admin:
        refused = [each for each in admin.acl_log() if each["username"] == user]
    assert refused == []


FORBIDDEN = (
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "CONFIG GET *",
    "CONFIG SET maxmemory 1",
    "ACL LIST",
    "ACL SETUSER orderly ~*",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "MONITOR",
    "SAVE",
    "BGREWRITEAOF",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "MODULE LIST",
    "SLOWLOG GET",
    "GET events:x",
    "DEL events:x",
    "DUMP events:x",
    "RENAME events:x others:x",
    "EXPIRE events:x 1",
    "GET others:x",
    "SET others:x 1",
    "XADD others:x * a b",
    "XREAD STREAMS others:x 0",
    "XGROUP CREATE others:x ears 0 MKSTREAM",
    "PUBLISH others:x 1",
    "SUBSCRIBE others:x",
    "PSUBSCRIBE *",
)


def test_it_may_do_nothing_besides(guarded: Guarded) -> None:
    user = least_privilege.user_in(guarded.url)
    with redis.Redis.from_url(guarded.admin_url, decode_responses=True) as admin:
        # Asked and not tried: the engine may be somebody's.
        allowed = [
            each
            for each in FORBIDDEN
            if admin.execute_command("ACL", "DRYRUN", user, *each.split()) == "OK"
        ]
        done = admin.execute_command("ACL", "DRYRUN", user, "XADD", "events:x", "*", "a", "b")

    assert (allowed, done) == ([], "OK")
    with (
        redis.Redis.from_url(guarded.url) as client,
        pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access"),
    ):
        client.eval("return redis.call('XLEN', 'others:x')", 0)


def test_without_a_name_and_a_password_nobody_gets_in(valkey_with_users: Guarded) -> None:
    address = valkey_with_users.url.rpartition("@")[2]
    for who in ("", "default:@", "orderly:wrong@", ":replace-this-password@"):
        with (
            redis.Redis.from_url(f"unix://{who}{address}") as client,
            pytest.raises(redis.RedisError, match=r"(?i)password|authenticat"),
        ):
            client.ping()
