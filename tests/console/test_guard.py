"""What guards the console: forms of its own pages only, the switch, headers, and who sees what."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.console.live import EVERY_S
from app.main import create_app
from tests.console.browsing import OURS, VIEWER, browser, make_key, send, sign_in, text_of
from tests.console.conftest import Application
from tests.web.sample import settings

PAUSE = "/console/streams/inventory/pause"
PAGES = (
    "/console",
    "/console/streams",
    "/console/streams/inventory",
    "/console/audit",
    "/console/nowhere",
)


async def is_paused(client: httpx2.AsyncClient) -> bool:
    found = await client.get("/v1/ops/subscribers", headers={"authorization": f"Bearer {OURS}"})
    return any(one["paused"] for one in found.json()["items"])


HERE = "http://localhost:8000"
FOREIGN: tuple[dict[str, str], ...] = (
    {"accept": "*/*"},
    {"origin": "null"},
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:9000"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "none"},
    {"origin": HERE, "sec_fetch_site": "cross-site"},
)
OUR_OWN: tuple[dict[str, str], ...] = (
    {"origin": HERE},
    {"sec_fetch_site": "same-origin"},
    {"origin": HERE, "sec_fetch_site": "same-origin"},
)


async def test_only_a_form_of_our_own_pages_changes_anything(anybody: httpx2.AsyncClient) -> None:
    await sign_in(anybody, OURS)
    reason = {"reason": "A stock take"}

    for headers in FOREIGN:
        assert (await send(anybody, PAUSE, reason, **headers)).status_code == 403, headers
    assert not await is_paused(anybody)
    for headers in OUR_OWN:
        assert (await send(anybody, PAUSE, reason, **headers)).status_code == 303, headers
    assert await is_paused(anybody)


async def test_signing_in_is_a_change_too(anybody: httpx2.AsyncClient) -> None:
    answer = await send(anybody, "/console/sign-in", {"key": OURS}, accept="*/*")

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_get_changes_nothing(anybody: httpx2.AsyncClient) -> None:
    await sign_in(anybody, OURS)

    assert (await anybody.get(PAUSE)).status_code == 404
    assert (await anybody.get("/console/sign-out")).status_code == 405
    assert (await anybody.get("/console")).status_code == 200


async def test_a_viewer_sees_no_buttons_and_can_press_none(
    app: FastAPI, anybody: httpx2.AsyncClient
) -> None:
    secret, id_ = await make_key(app, *VIEWER)
    await sign_in(anybody, secret)

    page = await anybody.get("/console/streams/inventory")
    answer = await send(anybody, PAUSE, {"reason": "A stock take"})

    assert "viewer" in text_of(page)
    assert id_[-6:] in page.text
    assert 'method="post" action="/console/streams' not in page.text
    assert answer.status_code == 403
    assert "scope ops" in text_of(answer)
    assert not await is_paused(anybody)


async def test_a_read_only_console_shows_and_changes_nothing(application: Application) -> None:
    app = application(api_key=OURS, console="read-only")
    async with browser(app) as client:
        await sign_in(client, OURS)

        page = await client.get("/console/streams/inventory")
        answer = await send(client, PAUSE, {"reason": "A stock take"})

        assert page.status_code == 200
        assert "read-only" in text_of(page)
        assert 'action="/console/streams' not in page.text
        assert answer.status_code == 403
        assert "changes nothing" in text_of(answer)
        assert not await is_paused(client)
        assert (await send(client, "/console/sign-out")).status_code == 303


async def test_it_can_be_switched_off(application: Application) -> None:
    async with browser(application(console="off")) as client:
        for path in ("/console", "/console/sign-in", "/console/static/1/console.css"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/")).headers["location"] == "docs"
    async with browser(application()) as client:
        assert (await client.get("/")).headers["location"] == "console"


def test_a_worker_has_none_and_no_description_mentions_it() -> None:
    servers = {
        "database_url": SecretStr("postgresql://nowhere/x"),
        "redis_url": SecretStr("redis://nowhere"),
    }
    worker = create_app(settings(role="worker", **servers))
    paths = [getattr(route, "path", "") for route in worker.routes]

    assert not [path for path in paths if path.startswith("/console")]
    document = create_app(settings()).openapi()
    assert not [path for path in document["paths"] if path.startswith("/console")]


@pytest.mark.parametrize("path", PAGES)
async def test_pages_load_nothing_from_elsewhere_and_are_kept_nowhere(
    operator: httpx2.AsyncClient, path: str
) -> None:
    answer = await operator.get(path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    # What the policy forbids is not there to begin with.
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|<style", answer.text)
    assert not re.search(r"(?:src|href|action)=\"(?!/|#|\?)", answer.text)


async def test_static_files_are_kept_for_ever_under_an_address_of_their_content(
    anybody: httpx2.AsyncClient,
) -> None:
    form = await anybody.get("/console/sign-in")
    found = re.search(r'href="(/console/static/\w+/console\.css)"', form.text)
    assert found is not None

    style = await anybody.get(found[1])
    older = await anybody.get("/console/static/000000000000/console.css")

    assert style.status_code == 200
    assert style.headers["content-type"].startswith("text/css")
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert older.content == style.content
    assert older.headers["cache-control"] == "no-cache"
    assert (await anybody.get("/console/static/1/..%2Frender.py")).status_code == 404
    assert (await anybody.get("/console/static/1/render.py")).status_code == 404


async def test_a_page_answers_head(operator: httpx2.AsyncClient) -> None:
    answer = await operator.head("/console")

    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_page_is_one_request_of_the_rate_limit(application: Application) -> None:
    app = application(api_key=OURS, rate_limit=3)
    async with browser(app) as client:
        await sign_in(client, OURS)

        statuses = [(await client.get("/console/streams")).status_code for _ in range(4)]

        assert statuses == [200, 200, 200, 429]
        assert "Too many requests" in text_of(await client.get("/console/streams"))


def test_a_live_page_is_looked_at_every_few_seconds() -> None:
    assert 1 <= EVERY_S <= 5
