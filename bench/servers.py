"""The servers that ours and the peers share: PostgreSQL and a stream engine, both durable."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from pydantic import SecretStr
from sqlalchemy import insert, make_url

from app import db, schema
from app.modules.orders.models.tables import products
from app.settings import Settings
from bench.cpu import process_s, tree_s
from bench.orders import PRICE_MINOR, STOCK, sku_names
from tests.postgres import PostgresServer
from tests.system.orderly import Orderly, Shop
from tests.valkey import ValkeyServer

_PAGE = 500
"""How many SKUs a receipt takes in."""


class _DurablePostgres(PostgresServer):
    """A server with PostgreSQL's own defaults for durability; the tests' goes without fsync."""

    def __init__(self) -> None:
        super().__init__(connections=200)
        self._options = (  # type: ignore[assignment]  # as many as there are
            *self._options,
            *("fsync=on", "full_page_writes=on", "wal_level=replica", "max_wal_size=4GB"),
        )

    @property
    def pid(self) -> int | None:
        """The server's process id, None when TEST_DATABASE_URL names it."""
        return self._process.pid if self._process else None


class Servers:
    """A PostgreSQL server and a stream engine with `appendfsync everysec`, ended with the block.

    Databases with our schema, products and stock are copies of one template.
    """

    def __init__(self) -> None:
        self._postgres = _DurablePostgres()
        self._engine = ValkeyServer()
        self._templates: dict[int, str] = {}
        self._files: dict[int, Path] = {}
        self._made = 0
        self._engine_pid = 0
        self.directory = Path(tempfile.mkdtemp(prefix="orderly-bench-"))
        self.stream_url = self._engine.url

    def __enter__(self) -> Self:
        try:
            self._engine.start()
            with self._engine.client() as client:
                info: dict[str, Any] = client.info("server")
                self._engine_pid = int(info["process_id"])
            self._postgres.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End both and remove what they kept."""
        self._postgres.stop()
        self._engine.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def database_s(self) -> float | None:
        """CPU seconds of PostgreSQL so far, backends included; None when it is not ours."""
        return None if self._postgres.pid is None else tree_s(self._postgres.pid)

    def engine_s(self) -> float:
        """CPU seconds of the stream engine so far."""
        return process_s(self._engine_pid)

    def empty_engine(self) -> None:
        """Forget every stream and queue."""
        with self._engine.client() as client:
            client.flushall()

    def all_acknowledged(self) -> bool:
        """Tell whether no group of any stream has anything left to read or to acknowledge."""
        with self._engine.client() as client:
            return all(
                group["lag"] == 0 and group["pending"] == 0
                for key in client.scan_iter(_type="stream")
                for group in client.xinfo_groups(key)
            )

    def empty_database(self) -> str:
        """Create a database with nothing in it and return its URL."""
        return self._postgres.create_database()

    def drop(self, database: str) -> None:
        """Drop a database that a case is done with."""
        self._postgres.drop_database(database)

    def shop(self, skus: int) -> str:
        """Create a database with our schema and a shop of this size, and return its URL."""
        if skus not in self._templates:
            url = self._postgres.create_database()
            settings = _settings(DATABASE_URL=SecretStr(url), REDIS_URL=SecretStr("redis://unused"))
            anyio.run(schema.migrate, settings)
            self._fill(self.environment(url, role="all"), skus, self._folder())
            self._templates[skus] = url
        return self._postgres.create_database(self._templates[skus])

    def shop_folder(self, skus: int) -> Path:
        """Return a working directory whose embedded database holds a shop of this size."""
        if skus not in self._files:
            folder = self._folder()
            self._fill({}, skus, folder)
            self._files[skus] = folder / "var/orderly.db"
        folder = self._folder()
        (folder / "var").mkdir()
        shutil.copy(self._files[skus], folder / "var/orderly.db")
        return folder

    def environment(self, database: str, *, role: str) -> dict[str, str]:
        """Return the settings of one process on these servers, with a stream of its database."""
        prefix = make_url(database).database or ""
        return {
            "DATABASE_URL": database,
            "REDIS_URL": self.stream_url,
            "APP_ROLE": role,
            "APP_STREAM_PREFIX": prefix,
        }

    def folder(self) -> Path:
        """Make an empty working directory."""
        return self._folder()

    def _folder(self) -> Path:
        self._made += 1
        folder = self.directory / str(self._made)
        folder.mkdir()
        return folder

    def _fill(self, environment: dict[str, str], skus: int, folder: Path) -> None:
        # The loops run too, so that what a receipt publishes is gone before anything is measured.
        with Orderly(folder, environment) as process:
            anyio.run(receive, process.url, skus)
            process.terminate()
        database = (
            db.postgresql(environment["DATABASE_URL"])
            if environment
            else db.sqlite(folder / "var/orderly.db")
        )
        anyio.run(offer, database, skus)
        self.empty_engine()


async def receive(url: str, skus: int) -> None:
    """Receive stock of every SKU, by way of the API."""
    names = sku_names(skus)
    async with Shop(url) as shop:
        for first in range(0, skus, _PAGE):
            lines = [{"sku": sku, "quantity": STOCK} for sku in names[first : first + _PAGE]]
            reply = await shop.http.post("/v1/inventory/receipts", json={"lines": lines})
            reply.raise_for_status()


async def offer(database: db.Database, skus: int) -> None:
    """Make every SKU a product; the API takes them one by one, which would be most of a run."""
    product = {"unit_price_minor": PRICE_MINOR, "currency": "GBP", "active": True, "version": 1}
    try:
        async with database.write() as session:
            rows = [{"sku": sku, "title": sku, **product} for sku in sku_names(skus)]
            await session.execute(insert(products), rows)
    finally:
        await database.close()


def _settings(**values: object) -> Settings:
    """Return settings that come from here alone, not from the machine's environment."""
    return Settings.model_validate(values)
