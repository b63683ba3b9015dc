"""The faults, by name. Each takes a seeded source of chance, and returns when it is over."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import anyio

from tests.faults import poison
from tests.faults.keeper import Keeper
from tests.faults.proxy import Proxy

Faults = dict[str, Callable[[Random], Awaitable[None]]]


class BusyError(Exception):
    """What the fault is for still suffers from another one."""


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


def of_child(data: Path, keeper: Keeper) -> Faults:
    """Kill the engine that the embedded process started."""

    async def kill(random: Random) -> None:
        del random
        if not keeper.is_free:
            raise BusyError
        await keeper.kill_engine(data / "stream/engine.json")

    return {"kill -9 of the engine's process": kill}


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


# A killed or blocked process stops everybody's work for seconds, so there are few of those.
_APART_S = {poison.KILLS: 8.0, poison.BLOCKS: 60.0}


class Poisoner:
    """Asks the clients for poisoned orders: each takes the next one from `wanted`."""

    def __init__(self) -> None:
        self.wanted: deque[str] = deque()
        self._last = dict.fromkeys(_APART_S, -1000.0)

    def faults(self) -> Faults:
        """Return the faults, by name."""
        return {f"poison that {sku[7:].lower()}": partial(self._want, sku) for sku in poison.HARMED}

    async def _want(self, sku: str, random: Random) -> None:
        del random
        now = anyio.current_time()
        if now - self._last.get(sku, -1000.0) < _APART_S.get(sku, 0.0):
            raise BusyError
        self._last[sku] = now
        self.wanted.append(sku)
