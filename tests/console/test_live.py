"""Live pages: what has changed comes by itself, and what has not does not."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from app.console import live, overview
from app.console.router import LIVE
from tests.console.browsing import OURS, VIEWER, browser, make_key, send, sign_in
from tests.console.conftest import Application
from tests.orders.rest import Stream


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once, not in two seconds."""
    monkeypatch.setattr(live, "EVERY_S", 0.02)


@asynccontextmanager
async def watching(
    app: FastAPI, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    """Open a live page; it is closed when the block ends."""
    stream = Stream()
    path, _, query = path.partition("?")
    sent = {"host": "localhost:8000", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": b"",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "server": ("localhost", 8000),
        "client": ("127.0.0.1", 1),
    }
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(app, scope, stream.receive, stream.send)
            yield stream
            stream.leave()
    finally:
        stream.close()


async def heard(stream: Stream) -> tuple[str, dict[str, Any]]:
    """Return the next event and what it carries."""
    while True:
        fields = dict(line.split(": ", 1) for line in (await stream.part()).strip().splitlines())
        if "event" in fields:
            return fields["event"], json.loads(fields["data"])


async def until_beat(stream: Stream) -> dict[str, str]:
    """Return the fragments up to the next beat."""
    found: dict[str, str] = {}
    while True:
        event, data = await heard(stream)
        if event == "beat":
            return found
        found[data["target"]] = data["html"]


async def test_a_live_page_sends_what_changed_and_nothing_else(
    application: Application, operator: httpx2.AsyncClient
) -> None:
    app = application()
    async with watching(app, "/console/live/subscriber?name=inventory") as stream:
        first = await until_beat(stream)
        assert await until_beat(stream) == {}
        await send(operator, "/console/streams/inventory/pause", {"reason": "A stock take"})
        while not (second := await until_beat(stream)):
            pass

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert list(first) == list(second) == ["subscriber"]
    assert "A stock take" not in first["subscriber"]
    assert "A stock take" in second["subscriber"]


@pytest.mark.parametrize("page", ["overview", "streams"])
async def test_fragments_are_whole_elements_of_the_page(
    operator: httpx2.AsyncClient, application: Application, page: str
) -> None:
    path = "/console" if page == "overview" else f"/console/{page}"
    whole = (await operator.get(path)).text

    assert f'data-live="/console/live/{page}"' in whole
    async with watching(application(), f"/console/live/{page}") as stream:
        for target, html in (await until_beat(stream)).items():
            assert f'id="{target}"' in html.split(">", 1)[0]
            assert f'id="{target}"' in whole


async def test_a_live_page_ends_with_the_session(
    app: FastAPI, anybody: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SESSION_EVERY_S", 0.0)
    secret, id_ = await make_key(app, *VIEWER)
    token = (await sign_in(anybody, secret)).headers["set-cookie"].split(";")[0]

    async with watching(app, "/console/live/streams", {"cookie": token}) as stream:
        await until_beat(stream)
        async with browser(app, OURS) as admin:
            await admin.delete(f"/v1/api-keys/{id_}")
        with anyio.fail_after(5):
            await stream.ended.wait()

    async with watching(app, "/console/live/streams", {"cookie": token}) as stream:
        with anyio.fail_after(5):
            await stream.ended.wait()
    # Not a redirect: a program asks, and the page that hears it asks for the sign-in itself.
    assert stream.status == 401


async def test_a_page_of_which_nothing_changes_any_more_says_so(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def last(request: Request) -> dict[str, str]:
        return {**await overview.fragments(request), live.DONE: ""}

    monkeypatch.setitem(LIVE, "overview", last)

    async with watching(application(), "/console/live/overview") as stream:
        events = [await heard(stream) for _ in range(6)]
        with anyio.fail_after(5):
            await stream.ended.wait()

    assert events[-1] == ("done", {})


async def test_trouble_is_told_and_not_the_end(app: FastAPI, anybody: httpx2.AsyncClient) -> None:
    viewer, _ = await make_key(app, "ops:read")
    token = (await sign_in(anybody, viewer)).headers["set-cookie"].split(";")[0]

    async with watching(app, "/console/live/orders", {"cookie": token}) as stream:
        event, data = await heard(stream)
        assert (await heard(stream))[0] == "trouble"

    assert event == "trouble"
    assert "orders:read" in data["detail"]
