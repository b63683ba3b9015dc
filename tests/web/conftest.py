"""The web room on a real SQLite file, with a small API of its own in front."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app import db
from app.db import Database
from app.web import claims, keys
from tests.contracts.told import told
from tests.web import key_server
from tests.web.sample import Process, build, settings, things


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Database:
    """Prepare a database on a new file, outside the event loop, which must not block."""
    return db.sqlite(tmp_path / "web.db")


@pytest.fixture
async def sqlite(sqlite_file: Database) -> AsyncIterator[Database]:
    """Open a database with the tables the sample API uses, and no others."""
    opened = sqlite_file
    async with opened.writer.begin() as connection:
        await connection.run_sync(claims.keys.create)
        await connection.run_sync(keys.api_keys.create)
        await connection.run_sync(things.create)
    yield opened
    await opened.close()


@pytest.fixture
def process(sqlite: Database) -> Process:
    """Stand in for a running process in open mode; tests may replace its settings."""
    return Process(settings=settings(), database=sqlite)


@pytest.fixture
async def client(process: Process) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect from this machine to a server without a key."""
    async with connected(process) as opened:
        yield opened


def connected(process: Process) -> httpx2.AsyncClient:
    """Return a client of an application in front of process."""
    transport = httpx2.ASGITransport(app=build(process))
    return httpx2.AsyncClient(
        transport=transport,
        base_url="http://localhost:8000",
        event_hooks={"response": [told]},
    )


@pytest.fixture
def nowhere(process: Process, tmp_path: Path) -> Path:
    """Give the process a database whose directory does not exist."""
    path = tmp_path / "gone" / "web.db"
    process.database = db.sqlite(path)
    return path


@pytest.fixture
async def admin(process: Process) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect with APP_API_KEY to a server that was given it."""
    process.settings = settings(api_key=key_server.OURS)
    async with key_server.connected(process) as opened:
        opened.headers["authorization"] = f"Bearer {key_server.OURS}"
        yield opened


@pytest.fixture
async def anybody(process: Process) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect without a key to a server that has none."""
    async with key_server.connected(process) as opened:
        yield opened
