"""The one user of deploy/redis/users.acl can do all that Orderly does, and nothing besides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.bus.flow import look
from app.bus.preflight import Preflight
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.stream import Stream
from app.bus.stream_view import stream_view
from app.bus.trim import Room, Trim
from app.db import Database
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

ACL = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
PASSWORD = "replace-this-password"


@pytest.fixture
def guarded() -> Iterator[ValkeyServer]:
    """Run an engine with the users of the file."""
    server = ValkeyServer()
    server.start()
    with server.client() as client:
        for line in ACL.read_text().splitlines():
            _, name, *rules = line.split()
            if name != "default":  # the test's own way in
                client.execute_command("ACL", "SETUSER", name, "reset", *rules)
    yield server
    server.stop()


def url_of(server: ValkeyServer) -> str:
    return server.url.replace("unix://", f"unix://orderly:{PASSWORD}@")


@pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
async def test_one_user_may_do_all_that_is_done_and_no_more(
    database: Database, guarded: ValkeyServer
) -> None:
    stream = Stream(url_of(guarded))
    ears = listening(Effects())
    await subscribed(database, ears)
    assert await stream.own("ours") == "ours"

    async with running(
        *loops(database, stream, [ears]),
        Trim(database, stream, Room(100)),
        Reconcile(database, stream, ReconcilePolicy(after_s=0, every_s=0.1)),
        Preflight(stream),
    ) as supervisor:
        await ring(database, *(Rang(bell="a") for _ in range(20)))
        await until_handled(database, "ears", 20)
        assert supervisor.troubles() == []
    await stream.wake_others()
    flow = await look(database, stream, cap=100)
    assert flow.engine is not None
    view = await stream_view(stream, "bells")
    assert [group.subscriber for group in view.groups] == ["ears"]
    await stream.close()

    with redis.Redis.from_url(url_of(guarded)) as client:
        for forbidden in (["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["GET", "others:x"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*forbidden)
