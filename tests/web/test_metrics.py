"""A scrape tells everything, to whoever may know, whatever is away."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from app import db
from app.bus.flow import Flow, look
from app.bus.stream import Stream
from app.bus.supervise import LoopHealth
from app.db import Database
from tests.web.key_server import OURS, make
from tests.web.sample import Process, settings
from tests.web.scrape import client_of, scraped, value

LOOPS = (LoopHealth("relay", "running", 0.1, None), LoopHealth("trim", "dead", 40.0, "a bug"))

# How the flow is read from each database is tested elsewhere; here it is there or away.
pytestmark = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)


async def _scrape_of(process: Process, **headers: str) -> dict[str, Metric]:
    async with client_of(process, **headers) as client:
        return await scraped(client)


@pytest.fixture
def quiet(database: Database, stream: Stream) -> Process:
    """Stand in for a process on a whole database."""
    return Process(settings=settings(), database=database, stream=stream, loops=LOOPS)


@pytest.fixture
def away(tmp_path: Path) -> Database:
    """Make a database whose directory does not exist."""
    return db.sqlite(tmp_path / "gone" / "away.db")


async def test_an_engine_that_is_away_is_a_zero(quiet: Process) -> None:
    quiet.stream = Stream("unix:///nowhere/s")

    found = await _scrape_of(quiet)

    assert value(found, "orderly_database_up") == 1
    assert value(found, "orderly_engine_up") == 0
    assert value(found, "orderly_outbox_unpublished_events") == 0
    assert value(found, "orderly_loop_state", loop="trim", state="dead") == 1
    assert value(found, "orderly_loop_state", loop="trim", state="running") == 0
    assert value(found, "orderly_loop_heartbeat_age_seconds", loop="trim") == 40


async def test_a_database_that_is_away_is_a_zero(quiet: Process, away: Database) -> None:
    quiet.settings = settings(api_key=OURS)
    quiet.database = away

    found = await _scrape_of(quiet, authorization=f"Bearer {OURS}")

    assert value(found, "orderly_database_up") == 0
    assert value(found, "orderly_engine_up") == 1
    assert value(found, "orderly_outbox_unpublished_events") is None
    assert value(found, "orderly_group_commit_waiting_items") == 0


async def test_a_scraper_is_still_let_in_when_the_database_that_knows_it_is_away(
    quiet: Process, away: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    for module in ("keyring", "metrics"):
        monkeypatch.setattr(f"app.web.{module}.monotonic", lambda: clock[0])
    quiet.settings = settings(api_key=OURS)
    async with client_of(quiet, authorization=f"Bearer {OURS}") as client:
        secret = (await make(client, "ops:read")).json()["secret"]
        known = {"authorization": f"Bearer {secret}"}
        statuses = [(await client.get("/metrics", headers=known)).status_code]
        quiet.database = away
        for seconds in (60, 1000):
            clock[0] += seconds
            answer = await client.get("/metrics", headers=known)
            statuses.append(answer.status_code)
        clock[0] -= 1000
        other = {"authorization": f"Bearer {secret[:-4]}aaaa"}
        statuses.append((await client.get("/metrics", headers=other)).status_code)
        again = await client.get("/metrics", headers=known)

    assert statuses == [200, 200, 503, 503]
    assert "orderly_database_up 0.0" in again.text


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["ops:read"], 200), (["ops"], 200), (["orders:read", "events:read"], 403)],
)
async def test_a_scrape_needs_the_scope_to_look(
    quiet: Process, scopes: Sequence[str], status: int
) -> None:
    quiet.settings = settings(api_key=OURS)
    async with client_of(quiet, authorization=f"Bearer {OURS}") as client:
        secret = (await make(client, *scopes)).json()["secret"]
        answer = await client.get("/metrics", headers={"authorization": f"Bearer {secret}"})
        del client.headers["authorization"]
        nobody = await client.get("/metrics")

    assert (answer.status_code, nobody.status_code) == (status, 401)


async def test_the_engines_are_asked_once_a_second_at_most(
    quiet: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("app.web.metrics.monotonic", lambda: clock[0])
    async with client_of(quiet) as client:
        first = await scraped(client)
        quiet.stream = Stream("unix:///nowhere/s")
        second = await scraped(client)
        clock[0] += 1.0
        third = await scraped(client)

    ups = [value(one, "orderly_engine_up") for one in (first, second, third)]
    assert ups == [1, 1, 0]


async def test_a_worker_is_scraped_too_and_openmetrics_is_spoken(quiet: Process) -> None:
    wanted = "application/openmetrics-text; version=1.0.0"
    quiet.settings = settings(
        role="worker", DATABASE_URL="postgresql://nowhere/x", REDIS_URL="redis://nowhere"
    )
    async with client_of(quiet, accept=wanted) as client:
        answer = await client.get("/metrics")
        health = (await client.get("/v1/orders")).status_code

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = read_openmetrics(answer.text)  # type: ignore[no-untyped-call]  # as the library has it
    assert "orderly_build_info" in {one.name for one in families}
    assert health == 404


@pytest.mark.parametrize(
    ("sent", "path", "method", "route"),
    [
        ("BREW", "/v1/orders", "_OTHER", "/v1/orders"),
        ("HEAD", "/v1/orders", "HEAD", "/v1/orders"),
        ("GET", "/docs/assets/swagger-ui.css", "GET", "/docs/assets/*"),
        ("GET", "/docs/assets/none.css", "GET", "/docs/assets/*"),
        ("GET", "/v1/orders/ord_1/x/y", "GET", "unmatched"),
        ("GET", "/console/orders/ord_1", "GET", "/console/*"),
        ("POST", "/console", "POST", "/console"),
    ],
)
async def test_a_request_is_counted_by_its_route_and_never_by_its_path(
    quiet: Process, sent: str, path: str, method: str, route: str
) -> None:
    async with client_of(quiet) as client:
        before = await scraped(client)
        answer = await client.request(sent, path)
        after = await scraped(client)

    name = "orderly_http_requests_total"
    labels = {"method": method, "route": route, "status": str(answer.status_code)}
    assert (value(after, name, **labels) or 0) - (value(before, name, **labels) or 0) == 1


async def test_scrapes_at_once_share_a_look(
    quiet: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def counted(*given: Any, **named: Any) -> Flow:  # noqa: ANN401 - as `look` takes them
        nonlocal looks
        looks += 1
        return await look(*given, **named)

    monkeypatch.setattr("app.web.metrics.look", counted)
    async with client_of(quiet) as client, anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(scraped, client)

    assert looks == 1
