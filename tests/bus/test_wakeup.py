"""Wake-ups: none is lost, many become one, and an engine that is away costs nothing but a poll."""

import anyio
from redis.asyncio import Redis

from app.bus.stream import Stream
from app.bus.wakeup import Announcer, WakeUp, WakeUpReceiver
from tests.bus.sample import running, until
from tests.least_privilege import admin_url
from tests.valkey import ValkeyServer


async def test_a_wake_up_before_the_wait_is_not_lost_and_counts_once() -> None:
    wake_up = WakeUp()
    wake_up.committed()
    wake_up.committed()

    assert await wake_up.wait(1)
    assert not await wake_up.wait(0.01)


def test_listeners_hear_of_every_commit_here_and_elsewhere() -> None:
    wake_up = WakeUp()
    heard: list[int] = []
    wake_up.listeners.append(lambda: heard.append(1))

    wake_up.committed()
    wake_up.heard()

    assert heard == [1, 1]


async def test_a_commit_in_one_process_wakes_the_relay_of_another(stream: Stream) -> None:
    here, there = WakeUp(), WakeUp()

    async with (
        Redis.from_url(admin_url(stream), decode_responses=True) as engine,
        running(Announcer(stream, here), WakeUpReceiver(stream, there)),
    ):

        async def listens() -> bool:
            channel = f"{stream._prefix}:wake-up"
            return dict(await engine.pubsub_numsub(channel))[channel] == 1

        await until(listens)
        here.committed()
        assert await there.wait(5)


async def test_announcing_survives_an_engine_that_comes_and_goes() -> None:
    server = ValkeyServer()
    stream = Stream(server.url)
    here, there = WakeUp(), WakeUp()
    try:
        async with running(Announcer(stream, here), WakeUpReceiver(stream, there)) as supervisor:
            here.committed()

            async def both_wait() -> bool:
                return [loop.state for loop in supervisor.health()] == ["waiting", "waiting"]

            await until(both_wait)
            server.start()

            async def woken() -> bool:
                here.committed()
                return await there.wait(0.05)

            await until(woken)
    finally:
        with anyio.CancelScope(shield=True):
            await stream.close()
        server.stop()
