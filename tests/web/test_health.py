"""Health: what a probe is told."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from app.bus.supervise import LoopHealth
from app.db import Database
from app.settings import VERSION
from app.web import health
from tests.web.sample import Process, settings

RUNNING = LoopHealth("relay", "running", 0.1, None)
WAITING = LoopHealth("relay", "waiting", 0.1, "StreamUnavailableError: gone")
STALLED = LoopHealth("relay", "stalled", 99.0, None)
DEAD = LoopHealth("relay", "dead", 0.1, None)
SERVERS = {"DATABASE_URL": SecretStr("postgresql://x"), "REDIS_URL": SecretStr("redis://x")}


async def test_a_process_whose_loops_run_is_ready(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.loops = [RUNNING]

    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "role": "all",
        "version": VERSION,
        "draining": False,
        "database": "ok",
        "stream": "ok",
        "loops": [{"name": "relay", "state": "running", "beat_age_s": 0.1, "trouble": None}],
    }


@pytest.mark.parametrize("loop", [WAITING, STALLED])
async def test_a_loop_in_trouble_only_degrades(
    client: httpx2.AsyncClient, process: Process, loop: LoopHealth
) -> None:
    process.loops = [RUNNING, loop]

    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json()["status"] == "degraded"


async def test_a_dead_loop_ends_life_and_readiness(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.loops = [RUNNING, DEAD]

    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert (live.status_code, live.json()) == (503, {"status": "dead"})
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")


async def test_orders_are_taken_while_the_stream_is_away(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.stream_ok = False

    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["stream"]) == ("degraded", "waiting")


async def test_a_worker_without_the_stream_is_not_ready(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.settings = settings(role="worker", **SERVERS)
    process.stream_ok = False

    response = await client.get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (503, "unavailable")


async def test_a_process_that_never_asks_the_stream_says_nothing_of_it(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.settings = settings(role="api", **SERVERS)
    process.stream_ok = None

    response = await client.get("/health/ready")

    assert (response.status_code, response.json()["stream"]) == (200, None)


async def test_a_process_that_was_asked_to_stop_takes_no_more(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.draining = True

    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["draining"]) == (503, True)


async def test_a_database_that_is_gone_ends_readiness_in_a_sentence_without_addresses(
    client: httpx2.AsyncClient, nowhere: Path
) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert response.json()["database"] == "The database refused a query: OperationalError."
    assert str(nowhere) not in response.text


async def test_a_database_that_does_not_answer_is_not_waited_for(
    client: httpx2.AsyncClient, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 0.05)

    async with AsyncExitStack() as stack:
        # Every connection there is for reading.
        for _ in range(4):
            session = await stack.enter_async_context(sqlite.read())
            await session.connection()
        response = await client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["database"] == "The database did not answer within 0.05 s."


async def test_a_probe_with_parameters_of_its_own_is_answered(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health/live?from=lb")).status_code == 200
