"""A process whose event loop was blocked fails its liveness probe, in every role that answers."""

import time
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest

from app import runtime
from app.bus.watchdog import Watchdog
from app.main import chores, create_app
from app.runtime import open_runtime
from app.settings import Settings


async def test_a_blocked_event_loop_ends_life_and_shows_in_readiness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "Watchdog", partial(Watchdog, limit_s=0.5))
    settings = Settings.model_validate({"data": tmp_path})
    app = create_app(settings)

    async with open_runtime(settings, chores(settings), lambda: None) as process:
        app.state.runtime = process
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            before = await client.get("/health/live")
            await anyio.sleep(0.2)
            time.sleep(1.5)  # noqa: ASYNC251 - what a bad handler does
            after = await client.get("/health/live")
            ready = await client.get("/health/ready")

    assert (before.status_code, before.json()) == (200, {"status": "live"})
    assert (after.status_code, after.json()) == (503, {"status": "blocked"})
    assert ready.json()["status"] == "degraded"
    [blocked] = [loop for loop in ready.json()["loops"] if loop["name"] == "event-loop"]
    assert blocked["state"] == "blocked"
    assert blocked["trouble"].startswith("the event loop did not run for ")
