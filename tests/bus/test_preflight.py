"""Preflight: an engine that may evict streams makes a worker not ready, and any other does not."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app.bus.errors import EvictingEngineError, StreamError
from app.bus.preflight import Preflight
from app.bus.stream import Stream
from tests.bus.sample import running, until
from tests.valkey import ValkeyServer


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
async def test_a_policy_that_spares_keys_without_expiry_passes(
    server: ValkeyServer, policy: str
) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", policy)
    stream = Stream(server.url)

    await Preflight(stream).check()

    await stream.close()


async def test_an_engine_that_evicts_anything_is_trouble_until_it_is_set_right(
    server: ValkeyServer,
) -> None:
    stream = Stream(server.url)
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

        async with running(Preflight(stream, every_s=0.02)) as supervisor:

            async def in_trouble() -> bool:
                return any(
                    isinstance(trouble, StreamError) and isinstance(trouble, EvictingEngineError)
                    for trouble in supervisor.troubles()
                )

            async def well() -> bool:
                return not supervisor.troubles()

            await until(in_trouble)
            assert "allkeys-lru" in (supervisor.health()[0].trouble or "")
            client.config_set("maxmemory-policy", "noeviction")
            await until(well)
    await stream.close()


@pytest.mark.parametrize(
    ("appendonly", "says"), [("yes", "keeps an append-only"), ("no", "keeps no append-only")]
)
async def test_it_says_once_what_the_engine_keeps(
    server: ValkeyServer, appendonly: str, says: str
) -> None:
    with server.client() as client:
        client.config_set("appendonly", appendonly)
    stream = Stream(server.url)
    preflight = Preflight(stream)

    with capture_logs() as logs:
        await preflight.check()
        await preflight.check()

    (line,) = logs
    assert says in line["event"]
    await stream.close()


async def test_an_engine_that_may_not_be_asked_is_taken_as_it_is(server: ValkeyServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info")
    stream = Stream(f"unix://app:secret@{server.socket}")

    with capture_logs() as logs:
        await Preflight(stream).check()

    assert "INFO is not allowed" in logs[0]["event"]
    await stream.close()


async def test_an_engine_that_is_away_is_waited_for() -> None:
    stream = Stream("unix:///nowhere/s")

    with pytest.raises(StreamError):
        await Preflight(stream).check()

    await stream.close()
