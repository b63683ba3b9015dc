"""The application in front of each database, for the tests of its REST API."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.db import Database
from tests.orders.rest import application, client_of


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client on this machine, of a server without a key and without loops."""
    async with client_of(application(database)) as opened:
        yield opened
