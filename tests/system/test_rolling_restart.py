"""A rolling restart under load: every process is replaced, and nobody outside can tell.

Requests go to whoever said last that it is ready, as a load balancer sends them. Two APIs and two
workers are replaced here, one after the other; ROLLING_RESTARTS=10 makes it ten rounds, which take
some minutes (`-o faulthandler_timeout=900`).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import anyio
import httpx2
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from tests.system.conftest import Deployment
from tests.system.orderly import Orderly, Shop

ROUNDS = int(os.environ.get("ROLLING_RESTARTS", "1"))
OF_EACH = 2

# What a leaving worker does not hand back waits for this long: no other net is any quicker.
FAR_S = "300"
SOON_S = 30

POLL_S = 0.4
NOTICE_S = "2"

ROLES = ("worker", "api")


class Backend:
    """An API process as a load balancer knows it: ready or not when it was last asked."""

    def __init__(self, process: Orderly) -> None:
        self.process = process
        self.shop = Shop(process.url)
        self.ready = False

    async def watch(self) -> None:
        """Ask again and again."""
        async with httpx2.AsyncClient(base_url=self.process.url, timeout=20) as client:
            while True:
                try:
                    reply = await client.get("/health/ready")
                    self.ready = reply.status_code == httpx2.codes.OK
                except httpx2.TransportError:
                    self.ready = False
                await anyio.sleep(POLL_S)


class Balancer:
    """Sends each request once, to the next backend that is ready, and keeps what failed."""

    def __init__(self) -> None:
        self.backends: list[Backend] = []
        self.placed: list[str] = []
        self.failed: list[str] = []
        self._turns = count()

    def next(self) -> Backend:
        """Return whose turn it is."""
        ready = [backend for backend in self.backends if backend.ready]
        assert ready, "no backend is ready"
        return ready[next(self._turns) % len(ready)]

    async def watch(self, process: Orderly) -> None:
        """Take a backend in, until cancelled."""
        backend = Backend(process)
        self.backends.append(backend)
        async with backend.shop:
            await backend.watch()

    async def ready(self, number: int) -> None:
        """Wait until so many backends are ready."""
        with anyio.fail_after(20):
            while sum(backend.ready for backend in self.backends) < number:
                await anyio.sleep(0.02)

    async def buy(self) -> None:
        """Place one order and look at it."""
        try:
            placed = (await self.next().shop.order({"MUG": 1}))["id"]
            self.placed.append(placed)
            await self.next().shop.get(placed)
        except httpx2.HTTPError as error:
            self.failed.append(repr(error))


@asynccontextmanager
async def load(balancer: Balancer, clients: int) -> AsyncIterator[None]:
    """Have clients place orders one after the other for the length of the block."""
    over = anyio.Event()

    async def place() -> None:
        while not over.is_set():
            await balancer.buy()
            await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        for _ in range(clients):
            group.start_soon(place)
        yield
        over.set()


class Fleet:
    """The processes of each role, oldest first, and how each stop went."""

    def __init__(self, servers: Deployment, balancer: Balancer, watching: TaskGroup) -> None:
        self._servers = servers
        self._balancer = balancer
        self._watching = watching
        self._running: dict[str, list[Orderly]] = {"worker": [], "api": []}
        self.codes: list[int] = []

    async def add(self, role: str) -> None:
        """Start one more process, and wait until it may be sent work."""
        process = await run_sync(self._start, role)
        self._running[role].append(process)
        if role == "api":
            self._watching.start_soon(self._balancer.watch, process)
            await self._balancer.ready(len(self._running[role]))

    async def replace(self, role: str) -> None:
        """Start one more process, and then stop the oldest."""
        await self.add(role)
        oldest = self._running[role].pop(0)
        self.codes.append((await run_sync(oldest.terminate))[0])

    def _start(self, role: str) -> Orderly:
        return self._servers.start(
            role,
            batch="20",
            claim_idle_s=FAR_S,
            reconcile_after_s=FAR_S,
            # Nobody sends a worker requests, so it has nobody to notify.
            drain_notice_s=NOTICE_S if role == "api" else "0",
        )


async def test_nobody_can_tell_that_every_process_is_replaced(servers: Deployment) -> None:
    balancer = Balancer()
    async with anyio.create_task_group() as watching:
        fleet = Fleet(servers, balancer, watching)
        async with anyio.create_task_group() as starting:
            for role in ROLES * OF_EACH:
                starting.start_soon(fleet.add, role)
        await balancer.next().shop.stock({"MUG": 1_000_000})

        async with load(balancer, clients=3):
            for _ in range(OF_EACH * ROUNDS):
                for role in ROLES:
                    await fleet.replace(role)
        shop = balancer.next().shop
        await shop.all_settled(timeout_s=SOON_S)

        assert balancer.failed == []
        assert await shop.count(status="confirmed") == len(balancer.placed) > 50
        assert fleet.codes == [0] * OF_EACH * ROUNDS * len(ROLES)
        watching.cancel_scope.cancel()
    await servers.verify()
