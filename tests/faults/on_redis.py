"""What can happen to a Redis: an operator's commands, too little memory or disk, a fail-over."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import anyio
import redis

from tests.faults.menu import BusyError, Faults
from tests.faults.proxy import Proxy
from tests.valkey import ValkeyServer

STREAMS = ("orders", "inventory")

Command = Callable[[redis.Redis, Random], object]


def _key(random: Random) -> str:
    return f"events:{random.choice(STREAMS)}"


def _flush(client: redis.Redis, random: Random) -> None:
    del random
    client.flushall()


def _reuse_ids(client: redis.Redis, random: Random) -> None:
    """Flush, and give the old ids to other events, as a clock that was set back could."""
    del random
    again = client.pipeline()
    again.flushall()
    for key in (f"events:{name}" for name in STREAMS):
        entries: Any = client.xrange(key, count=200)
        for (id_, _), (_, fields) in zip(entries, entries[1:] + entries[:1], strict=True):
            again.xadd(key, fields, id=id_)
    again.execute()


def _trim(client: redis.Redis, random: Random) -> None:
    client.xtrim(_key(random), maxlen=0, approximate=False)


def _delete(client: redis.Redis, random: Random) -> None:
    client.delete(_key(random))


def _delete_entries(client: redis.Redis, random: Random) -> None:
    key = _key(random)
    newest: Any = client.xrevrange(key, count=50)
    if newest:
        client.xdel(key, *(id_ for id_, _ in newest))


def _destroy_group(client: redis.Redis, random: Random) -> None:
    key = _key(random)
    groups: Any = client.xinfo_groups(key)
    for group in groups:
        client.xgroup_destroy(key, group["name"])


def _skip(client: redis.Redis, random: Random) -> None:
    key = _key(random)
    groups: Any = client.xinfo_groups(key)
    for group in groups:
        client.xgroup_setid(key, group["name"], "$")


def _disconnect(client: redis.Redis, random: Random) -> None:
    del random
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)


def _pause(client: redis.Redis, random: Random) -> None:
    client.client_pause(random.randint(500, 3000))


def _fill_memory(client: redis.Redis, random: Random) -> None:
    with _configured(client, {"maxmemory": _some_of_used(client, 0.5)}):
        time.sleep(random.uniform(2, 4))


def _evict(client: redis.Redis, random: Random) -> None:
    least = _some_of_used(client, random.uniform(0.3, 0.95))
    with _configured(client, {"maxmemory-policy": "allkeys-lru", "maxmemory": least}):
        time.sleep(random.uniform(1, 3))


def _fill_disk(client: redis.Redis, random: Random) -> None:
    """Let snapshots fail: the engine then refuses every write, and even PING."""
    where: Any = client.config_get("dir", "dbfilename")
    snapshot = Path(where["dir"]) / where["dbfilename"]
    snapshot.unlink(missing_ok=True)
    snapshot.mkdir()  # a file cannot be renamed to it
    try:
        with _configured(client, {"save": "3600 1"}):
            _save(client)
            time.sleep(random.uniform(2, 4))
            with suppress(FileNotFoundError):  # a restart meanwhile removed it
                snapshot.rmdir()
            _save(client)
    finally:
        with suppress(OSError):
            snapshot.rmdir()
        # A restart must find what this engine keeps, which is no snapshot.
        with suppress(OSError):
            snapshot.unlink(missing_ok=True)


def _save(client: redis.Redis) -> None:
    client.bgsave()
    info: Any = {"rdb_bgsave_in_progress": 1}
    while info["rdb_bgsave_in_progress"]:
        time.sleep(0.05)
        info = client.info("persistence")


def _some_of_used(client: redis.Redis, share: float) -> str:
    memory: Any = client.info("memory")
    return str(int(memory["used_memory"] * share))


@contextmanager
def _configured(client: redis.Redis, values: Mapping[str, str]) -> Iterator[None]:
    """Set parameters for a while; an engine that was started again meanwhile has its own."""
    before: Any = client.config_get(*values)
    try:
        for name, value in values.items():
            client.config_set(name, value)
        yield
    finally:
        with suppress(redis.RedisError):
            for name, value in before.items():
                client.config_set(name, value)


_AT_ONCE: Mapping[str, Command] = {
    "redis FLUSHALL": _flush,
    "redis flushed, ids used again": _reuse_ids,
    "redis XTRIM MAXLEN 0": _trim,
    "redis XDEL of entries": _delete_entries,
    "redis DEL of a stream": _delete,
    "redis XGROUP DESTROY": _destroy_group,
    "redis XGROUP SETID $": _skip,
    "redis CLIENT KILL": _disconnect,
    "redis CLIENT PAUSE": _pause,
}
_FOR_A_WHILE: Mapping[str, Command] = {
    "redis full of memory 2-4 s": _fill_memory,
    "redis evicts allkeys-lru 1-3 s": _evict,
    "redis cannot save (MISCONF) 2-4 s": _fill_disk,
}


def commands(url: Callable[[], str | None]) -> Faults:
    """Return what a client at the engine's url can do to it; None while there is no engine."""
    setting = anyio.Lock()

    def fault(command: Command) -> Callable[[Random], Awaitable[None]]:
        def run(random: Random) -> None:
            where = url()
            if where is not None:
                with (
                    suppress(redis.RedisError),  # the engine may be gone, by another fault
                    redis.Redis.from_url(where, decode_responses=True, socket_timeout=5) as client,
                ):
                    command(client, random)

        async def at_once(random: Random) -> None:
            await anyio.to_thread.run_sync(run, random)

        return at_once

    def alone(command: Command) -> Callable[[Random], Awaitable[None]]:
        do = fault(command)

        async def for_a_while(random: Random) -> None:
            if setting.locked():  # two would put back each other's settings
                raise BusyError
            async with setting:
                await do(random)

        return for_a_while

    return {name: fault(one) for name, one in _AT_ONCE.items()} | {
        name: alone(one) for name, one in _FOR_A_WHILE.items()
    }


class Primary:
    """The Redis that Orderly speaks to through a proxy: one server, after a fail-over another."""

    def __init__(self, server: ValkeyServer, entry: Proxy) -> None:
        self._server = server
        self._entry = entry
        self._one = anyio.Lock()

    @property
    def url(self) -> str:
        """The URL of the server that is the primary now, for who may do everything to it."""
        return self._server.admin_url

    async def stop(self) -> None:
        """End the server for good."""
        await anyio.to_thread.run_sync(self._server.stop)

    def faults(self) -> Faults:
        """Return the faults, by name."""
        return commands(lambda: self.url) | {
            "kill -9 redis, back empty": self._restart,
            "redis fails over, losing 1-3 s": self._fail_over,
        }

    async def _restart(self, random: Random) -> None:
        async with self._one:
            await anyio.to_thread.run_sync(self._server.kill)
            await anyio.sleep(random.uniform(0, 2))
            with suppress(OSError):
                # What stood in a snapshot's way; no engine starts on it.
                await anyio.Path(self._server.socket.parent / "dump.rdb").rmdir()
            await anyio.to_thread.run_sync(self._server.start)

    async def _fail_over(self, random: Random) -> None:
        """Cut a replica off from the primary, kill that a while later, and go on with the replica.

        What the primary acknowledged in between is gone.
        """
        if self._one.locked():
            raise BusyError
        async with self._one:
            replica = ValkeyServer(persistent=False)
            await anyio.to_thread.run_sync(replica.start)
            try:
                async with Proxy(self._server.socket) as link:
                    await anyio.to_thread.run_sync(replica.follow, link.port)
                    link.hold()
                    await anyio.sleep(random.uniform(1, 3))
                    await anyio.to_thread.run_sync(self._server.kill)
            except (TimeoutError, redis.RedisError) as error:
                # The primary was too busy with another fault to feed a replica.
                await anyio.to_thread.run_sync(replica.stop)
                raise BusyError from error
            await anyio.to_thread.run_sync(replica.promote)
            self._entry.target = replica.socket
            self._entry.reset()
            former, self._server = self._server, replica
            await anyio.to_thread.run_sync(former.stop)
