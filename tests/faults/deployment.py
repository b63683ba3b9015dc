"""What is attacked: the embedded deployment, and api plus workers on servers behind proxies."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio
from pydantic import SecretStr
from sqlalchemy import make_url

from app import db, schema
from app.bus.embedded import running_engine_url
from app.bus.stream import Stream
from app.settings import Settings
from tests.faults import menu
from tests.faults.audit import create_audit
from tests.faults.keeper import Keeper
from tests.faults.proxy import Proxy
from tests.postgres import PostgresServer
from tests.valkey import ValkeyServer

Fault = Callable[[Random], Awaitable[None]]

# Short, so that a run sees many recoveries; both bound latency and never correctness.
QUICK = {
    "APP_CLAIM_IDLE_S": "2",
    "APP_RECONCILE_AFTER_S": "3",
    "APP_BATCH": "50",
    "APP_LOG_LEVEL": "warning",
}


@dataclass
class Deployment:
    """Processes that are kept running on a database and a stream, and what can be done to them."""

    keepers: list[Keeper]
    database: db.Database
    stream_url: Callable[[], str | None]
    faults: Mapping[str, Fault]
    heal: Callable[[], None]

    def api_urls(self) -> list[str]:
        """Return where orders are taken."""
        return [keeper.url for keeper in self.keepers if keeper.role != "worker"]

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

            faults = (
                menu.of_processes([keeper])
                | menu.of_embedded_engine(stream_url)
                | menu.of_child(data, keeper)
            )
            yield Deployment([keeper], database, stream_url, faults, lambda: None)
        finally:
            with anyio.CancelScope(shield=True):
                await keeper.stop()
                await database.close()


@asynccontextmanager
async def servers(
    directory: Path, plant: str = "", roles: Sequence[str] = ("api", "api", "worker", "worker")
) -> AsyncIterator[Deployment]:
    """Run APIs and workers on PostgreSQL and a Redis that keeps nothing on disk."""
    async with AsyncExitStack() as stack:
        valkey = ValkeyServer(persistent=False)
        stack.callback(valkey.stop)
        await anyio.to_thread.run_sync(valkey.start)
        postgres = PostgresServer(18)
        postgres._external = None  # faults need a server of their own
        stack.callback(postgres.stop)
        await anyio.to_thread.run_sync(postgres.start)
        url = await anyio.to_thread.run_sync(postgres.create_database)
        settings = {"DATABASE_URL": SecretStr(url), "REDIS_URL": SecretStr(valkey.url)}
        await schema.migrate(Settings.model_validate(settings))
        database = db.postgresql(url)
        stack.push_async_callback(database.close)
        await create_audit(database)
        before_postgres = await stack.enter_async_context(
            Proxy(Path(str(make_url(url).query["host"])) / ".s.PGSQL.5432")
        )
        before_valkey = await stack.enter_async_context(
            Proxy(Path(valkey.url.removeprefix("unix://")))
        )
        name = make_url(url).database
        environment = {
            **QUICK,
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{before_postgres.port}/{name}",
            "REDIS_URL": f"redis://127.0.0.1:{before_valkey.port}/0",
            "FAULTS_PLANT": plant,
        }
        keepers = [Keeper(role, directory, environment) for role in roles]

        def heal() -> None:
            before_postgres.heal()
            before_valkey.heal()

        group = await stack.enter_async_context(anyio.create_task_group())
        for keeper in keepers:
            group.start_soon(keeper.run)
        try:
            for keeper in keepers:
                await keeper.up()
            faults = (
                menu.of_processes(keepers)
                | menu.of_redis(valkey)
                | menu.of_postgres(postgres, url)
                | menu.of_network("postgres", before_postgres)
                | menu.of_network("redis", before_valkey)
            )
            yield Deployment(keepers, database, lambda: valkey.url, faults, heal)
        finally:
            heal()
            with anyio.CancelScope(shield=True):
                await _stop(keepers)
