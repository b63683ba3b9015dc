"""What is attacked: the embedded deployment, and api plus workers on servers behind proxies."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

import anyio
from sqlalchemy import make_url

from app import db, schema
from app.bus.embedded import running_engine_url
from app.bus.stream import Stream
from app.settings import Settings
from tests import least_privilege
from tests.faults import menu, on_redis
from tests.faults.audit import create_audit
from tests.faults.keeper import Keeper
from tests.faults.menu import Poisoner
from tests.faults.on_postgres import Postgres, move_tables, small_disk
from tests.faults.proxy import Proxy
from tests.least_privilege import application
from tests.postgres import PostgresServer
from tests.valkey import ValkeyServer

Fault = Callable[[Random], Awaitable[None]]

# Short, so that a run sees many recoveries; they bound latency and never correctness.
QUICK = {
    "APP_CLAIM_IDLE_S": "2",
    "APP_RECONCILE_AFTER_S": "3",
    "APP_STATEMENT_TIMEOUT_S": "6",
    "APP_HANDLER_TIMEOUT_S": "8",
    "APP_IDLE_IN_TRANSACTION_S": "10",
    "APP_BATCH": "50",
    "APP_HOLD_S": "2",
    "APP_LOG_LEVEL": "warning",
}

_CONNECTIONS = 70
"""More than the processes' pools and the checks need, and few enough to take them all."""

# By how many seconds the clocks of the processes are wrong, one after the other.
_CLOCKS = ("0", "3600", "-3600")


@dataclass
class Deployment:
    """Processes that are kept running on a database and a stream, and what can be done to them."""

    keepers: list[Keeper]
    database: db.Database
    stream_url: Callable[[], str | None]
    faults: Mapping[str, Fault]
    poisoner: Poisoner
    heal: Callable[[], None]
    server_log: Callable[[], str] = str

    def api_urls(self) -> list[str]:
        """Return where orders are taken."""
        return [keeper.url for keeper in self.keepers if keeper.role != "worker"]

    def deadlocks(self) -> list[str]:
        """Return what the server told of each deadlock."""
        told = self.server_log().split("deadlock detected")[1:]
        return [one.split("STATEMENT:", maxsplit=1)[0] for one in told]

    def bugs(self) -> list[str]:
        """Return what processes did that no fault explains."""
        return [bug for keeper in self.keepers for bug in keeper.bugs]

    async def up(self) -> None:
        """Wait until every process runs."""
        for keeper in self.keepers:
            await keeper.up()

    async def stop(self) -> None:
        """Ask every process to stop, all at once."""
        await _stop(self.keepers)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Stream | None]:
        """Connect to the stream engine as it is now, past the proxies."""
        url = self.stream_url()
        stream = None if url is None else Stream(url)
        try:
            yield stream
        finally:
            if stream is not None:
                await stream.close()


async def _stop(keepers: Sequence[Keeper]) -> None:
    async with anyio.create_task_group() as stopping:
        for keeper in keepers:
            stopping.start_soon(keeper.stop)


@asynccontextmanager
async def embedded(directory: Path, plant: str = "") -> AsyncIterator[Deployment]:
    """Run one process on SQLite and an engine of its own."""
    data = directory / "var"
    data.mkdir()
    await schema.migrate(Settings.model_validate({"data": data}))
    owner = db.sqlite(data / "orderly.db")
    await create_audit(owner)
    await owner.close()
    keeper = Keeper("all", directory, {**QUICK, "FAULTS_PLANT": plant})
    database = db.sqlite_reader(data / "orderly.db")
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.run)
        try:
            await keeper.up()

            def stream_url() -> str | None:
                return running_engine_url(data / "stream")

            poisoner = Poisoner()
            faults = (
                menu.of_processes([keeper])
                | on_redis.commands(stream_url)
                | menu.of_child(data, keeper)
                | poisoner.faults()
            )
            yield Deployment([keeper], database, stream_url, faults, poisoner, lambda: None)
        finally:
            with anyio.CancelScope(shield=True):
                await keeper.stop()
                await database.close()


@asynccontextmanager
async def servers(
    directory: Path,
    plant: str = "",
    roles: Sequence[str] = ("api", "api", "worker", "worker"),
    *,
    disk_may_fill: bool = False,
) -> AsyncIterator[Deployment]:
    """Run APIs and workers on PostgreSQL and a Redis that keeps nothing on disk.

    Their clocks are an hour apart, the databases' own stays right. With disk_may_fill the tables
    are on a disk of their own, where this machine lets us mount one.
    """
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(small_disk()) if disk_may_fill else None
        postgres, url = await _postgres(stack, disk)
        database = db.postgresql(url)
        stack.push_async_callback(database.close)
        before_postgres = await stack.enter_async_context(
            Proxy(Path(str(make_url(url).query["host"])) / ".s.PGSQL.5432")
        )
        valkey = ValkeyServer(persistent=False)
        before_valkey = await stack.enter_async_context(Proxy(valkey.socket))
        primary = on_redis.Primary(valkey, before_valkey)
        stack.push_async_callback(primary.stop)
        await anyio.to_thread.run_sync(valkey.start)
        name = make_url(url).database
        environment = {
            **QUICK,
            "DATABASE_URL": application(
                f"postgresql://postgres@127.0.0.1:{before_postgres.port}/{name}"
            ),
            "REDIS_URL": application(f"redis://127.0.0.1:{before_valkey.port}/0"),
            "FAULTS_PLANT": plant,
        }
        keepers = [
            Keeper(role, directory, {**environment, "FAULTS_CLOCK_S": clock})
            for role, clock in zip(roles, cycle(_CLOCKS), strict=False)
        ]

        def heal() -> None:
            before_postgres.heal()
            before_valkey.heal()

        group = await stack.enter_async_context(anyio.create_task_group())
        for keeper in keepers:
            group.start_soon(keeper.run)
        try:
            for keeper in keepers:
                await keeper.up()
            poisoner = Poisoner()
            faults = (
                menu.of_processes(keepers)
                | primary.faults()
                | Postgres(postgres, url, disk).faults()
                | menu.of_network("postgres", before_postgres)
                | menu.of_network("redis", before_valkey)
                | poisoner.faults()
            )
            yield Deployment(
                keepers, database, lambda: primary.url, faults, poisoner, heal, postgres.log
            )
        finally:
            heal()
            with anyio.CancelScope(shield=True):
                await _stop(keepers)


async def _postgres(stack: AsyncExitStack, disk: Path | None) -> tuple[PostgresServer, str]:
    """Start a server with a migrated database on disk, or wherever; return it and its URL."""
    postgres = PostgresServer(18, connections=_CONNECTIONS)
    postgres._external = None  # faults need a server of their own
    stack.callback(postgres.stop)
    await anyio.to_thread.run_sync(postgres.start)
    url = await anyio.to_thread.run_sync(postgres.create_database)
    await anyio.to_thread.run_sync(least_privilege.migrate, postgres, url)
    owner = db.postgresql(url)
    await create_audit(owner)
    await owner.close()
    if disk is not None:
        await anyio.to_thread.run_sync(move_tables, postgres, url, disk)
    return postgres, url
