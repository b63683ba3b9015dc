"""The whole application, without its loops, in front of a database on SQLite and a real engine."""

from collections.abc import AsyncIterator, Callable, Hashable
from pathlib import Path
from shutil import copy

import httpx2
import pytest
from fastapi import FastAPI

from app import db
from app.bus import inbox
from app.bus.stream import Stream
from app.console import sign_in
from app.db import Database
from app.main import SUBSCRIBERS
from tests.console.browsing import OURS, browser
from tests.least_privilege import own_prefix
from tests.valkey import ValkeyServer
from tests.web.sample import Process, settings, whole

Application = Callable[..., FastAPI]


@pytest.fixture
def closed_sqlite(sqlite_template: Path, tmp_path: Path) -> Database:
    """Make a migrated, empty database: pages are the same in front of every kind."""
    return db.sqlite(Path(copy(sqlite_template, tmp_path / "orderly.db")))


@pytest.fixture
async def sqlite(closed_sqlite: Database) -> AsyncIterator[Database]:
    """Open it, with our subscribers registered."""
    async with closed_sqlite.write() as session:
        await inbox.subscribe(session, SUBSCRIBERS)
    yield closed_sqlite
    await closed_sqlite.close()


@pytest.fixture
async def stream(valkey: ValkeyServer) -> AsyncIterator[Stream]:
    """Open a stream under a prefix nobody else uses."""
    opened = Stream(valkey.url, prefix=own_prefix())
    yield opened
    await opened.close()


@pytest.fixture
def application(sqlite: Database, stream: Stream) -> Application:
    """Return what makes an application with settings of these values."""

    def make(**values: Hashable) -> FastAPI:
        process = Process(
            settings=settings(**values), database=sqlite, stream=stream, subscribers=SUBSCRIBERS
        )
        return whole(process, **values)

    return make


@pytest.fixture
def app(application: Application) -> FastAPI:
    """Give an application that asks for a key."""
    return application(api_key=OURS)


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a browser that has not signed in."""
    async with browser(app) as client:
        yield client


@pytest.fixture
async def operator(application: Application) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a browser where nobody needs to sign in and everybody may do everything."""
    async with browser(application()) as client:
        yield client


@pytest.fixture(autouse=True)
def quick_thought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a wrong key thought about for a moment only."""
    monkeypatch.setattr(sign_in, "WRONG_KEY_S", 0.01)


@pytest.fixture
async def gone() -> AsyncIterator[Database]:
    """Give a database whose server does not answer."""
    nowhere = db.postgresql("postgresql://orderly@127.0.0.1:1/orderly")
    yield nowhere
    await nowhere.close()
