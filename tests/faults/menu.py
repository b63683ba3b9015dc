"""The faults, by name. Each takes a seeded source of chance, and returns when it is over."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import anyio
import redis
from sqlalchemy import make_url

from tests.faults.keeper import Keeper
from tests.faults.proxy import Proxy
from tests.postgres import PostgresServer, PostgresUnavailableError
from tests.valkey import ValkeyServer

Faults = dict[str, Callable[[Random], Awaitable[None]]]


class BusyError(Exception):
    """What the fault is for still suffers from another one."""


STREAMS = ("orders", "inventory")


def of_processes(keepers: Sequence[Keeper]) -> Faults:
    """Kill, freeze and stop processes, each kind of them."""
    faults: Faults = {}
    for role in sorted({keeper.role for keeper in keepers}):
        some = [keeper for keeper in keepers if keeper.role == role]

        async def kill(keeper: Keeper, random: Random) -> None:
            del random
            await keeper.kill()

        async def freeze(keeper: Keeper, random: Random) -> None:
            await keeper.freeze(random.uniform(1, 5))

        async def terminate(keeper: Keeper, random: Random) -> None:
            del random
            await keeper.terminate()

        faults |= {
            f"kill -9 {role}": partial(_on_one_of, some, kill),
            f"freeze {role} 1-5 s": partial(_on_one_of, some, freeze),
            f"SIGTERM {role}": partial(_on_one_of, some, terminate),
        }
    return faults


async def _on_one_of(
    some: Sequence[Keeper], what: Callable[[Keeper, Random], Awaitable[None]], random: Random
) -> None:
    keeper = random.choice(some)
    if not keeper.is_free:
        raise BusyError
    await what(keeper, random)


Command = Callable[[redis.Redis, Random], object]


def _flush(client: redis.Redis, random: Random) -> None:
    del random
    client.flushall()


def _trim(client: redis.Redis, random: Random) -> None:
    client.xtrim(f"events:{random.choice(STREAMS)}", maxlen=0, approximate=False)


def _delete(client: redis.Redis, random: Random) -> None:
    client.delete(f"events:{random.choice(STREAMS)}")


def _destroy_group(client: redis.Redis, random: Random) -> None:
    stream = random.choice(STREAMS)
    for group in client.xinfo_groups(f"events:{stream}"):
        client.xgroup_destroy(f"events:{stream}", group["name"])


def _disconnect(client: redis.Redis, random: Random) -> None:
    del random
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)


def _pause(client: redis.Redis, random: Random) -> None:
    client.client_pause(random.randint(500, 3000))


_COMMANDS: Mapping[str, Command] = {
    "redis FLUSHALL": _flush,
    "redis XTRIM MAXLEN 0": _trim,
    "redis DEL of a stream": _delete,
    "redis XGROUP DESTROY": _destroy_group,
    "redis CLIENT KILL": _disconnect,
    "redis CLIENT PAUSE": _pause,
}


def _commanded(
    url: Callable[[], str | None], command: Command
) -> Callable[[Random], Awaitable[None]]:
    def run(random: Random) -> None:
        where = url()
        if where is not None:
            with (
                suppress(redis.RedisError),  # the engine may be gone, by another fault
                redis.Redis.from_url(where, decode_responses=True, socket_timeout=5) as client,
            ):
                command(client, random)

    async def fault(random: Random) -> None:
        await anyio.to_thread.run_sync(run, random)

    return fault


def of_embedded_engine(url: Callable[[], str | None]) -> Faults:
    """Do to the embedded engine what an operator at its socket could."""
    return {name: _commanded(url, command) for name, command in _COMMANDS.items()}


def of_child(data: Path, keeper: Keeper) -> Faults:
    """Kill the engine that the embedded process started."""

    async def kill(random: Random) -> None:
        del random
        if not keeper.is_free:
            raise BusyError
        await keeper.up()
        state = await anyio.Path(data / "stream/engine.json").read_text()
        await keeper.kill_engine(json.loads(state)["pid"])

    return {"kill -9 of the engine's process": kill}


def of_redis(valkey: ValkeyServer) -> Faults:
    """Do to a Redis what operators, and a power cut without persistence, do."""
    one = anyio.Lock()

    async def restart(random: Random) -> None:
        async with one:
            await anyio.to_thread.run_sync(valkey.kill)
            await anyio.sleep(random.uniform(0, 2))
            await anyio.to_thread.run_sync(valkey.start)

    commands: Faults = {
        name: _commanded(lambda: valkey.url, command) for name, command in _COMMANDS.items()
    }
    return commands | {"kill -9 redis, back empty": restart}


def of_postgres(server: PostgresServer, url: str) -> Faults:
    """Crash the database server, and cut sessions off."""
    one = anyio.Lock()
    name = make_url(url).database

    async def restart(random: Random) -> None:
        async with one:
            await anyio.to_thread.run_sync(server.halt)
            await anyio.sleep(random.uniform(0, 1))
            await anyio.to_thread.run_sync(server.launch)

    async def terminate(random: Random) -> None:
        del random
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - our own name
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
        async with one:
            with suppress(PostgresUnavailableError):
                await anyio.to_thread.run_sync(server.execute, "postgres", statement)

    return {"postgres immediate restart": restart, "postgres sessions terminated": terminate}


def of_network(engine: str, proxy: Proxy) -> Faults:
    """Break, hold, slow down and swallow what goes to and from an engine."""

    async def reset(random: Random) -> None:
        del random
        proxy.reset()

    async def during(seconds: float, begin: Callable[[], None], random: Random) -> None:
        del random
        begin()
        try:
            await anyio.sleep(seconds)
        finally:
            proxy.heal()

    def slow() -> None:
        proxy.latency_s = 0.1

    def swallow() -> None:
        proxy.drops_replies = True

    async def lose_replies(random: Random) -> None:
        await during(random.uniform(0.1, 0.5), swallow, random)
        proxy.reset()

    return {
        f"{engine} connections reset": reset,
        f"{engine} silent for 2 s": partial(during, 2, proxy.hold),
        f"{engine} 100 ms away for 2 s": partial(during, 2, slow),
        f"{engine} replies lost": lose_replies,
    }
