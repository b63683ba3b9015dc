"""Orders are refused in time while there is more to do than can be done."""

import httpx2
import pytest
from sqlalchemy import event, update

from app.bus.sql import later
from app.bus.tables import outbox
from app.db import Database
from app.web import overload
from tests.bus.sample import Rang, ring
from tests.bus.test_history import publish_all
from tests.orders.rest import SQLITE
from tests.web.sample import Process, problem_of, settings

# What the database has a part in is tested with `app.bus.history`.
pytestmark = SQLITE


@pytest.fixture
def process(database: Database) -> Process:
    return Process(settings=settings(outbox_lag_limit_s=30), database=database)


async def fall_behind(database: Database) -> None:
    """Leave an event unpublished for too long while others are published."""
    await ring(database, Rang(bell="a"))
    await publish_all(database)
    await ring(database, Rang(bell="a"))
    async with database.write() as session:
        await session.execute(
            update(outbox).where(outbox.c.published_at.is_(None)).values(created_at=later(-31))
        )


async def test_orders_wait_while_the_relay_falls_behind(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "_ASKED_EVERY_S", 0)
    before = await client.post("/v1/things/orders")
    await fall_behind(database)

    refused = await client.post("/v1/things/orders")
    read = await client.get("/v1/events")
    await publish_all(database)
    after = await client.post("/v1/things/orders")

    assert (before.status_code, read.status_code, after.status_code) == (200, 200, 200)
    assert refused.status_code == 503
    document = problem_of(refused)
    assert document["code"] == "overloaded"
    assert document["retryable"] is True
    assert "30 s" in document["detail"]
    assert refused.headers["retry-after"] == "5"


async def test_the_database_is_asked_once_a_second_for_all(
    client: httpx2.AsyncClient, database: Database
) -> None:
    statements: list[str] = []

    @event.listens_for(database.reader.sync_engine, "before_cursor_execute")
    def note(*args: object) -> None:
        if "log_head" in str(args[2]):
            statements.append(str(args[2]))

    for _ in range(20):
        assert (await client.post("/v1/things/orders")).status_code == 200

    assert len(statements) == 1


async def test_a_pool_without_a_free_connection_is_overload(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things/crowded")

    assert response.status_code == 503
    assert problem_of(response)["code"] == "overloaded"
    assert response.headers["retry-after"] == "2"
