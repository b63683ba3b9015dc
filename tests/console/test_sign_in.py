"""Signing in with a key: what the cookie opens, for how long, and what it does not."""

import time

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from app.bus.sql import later
from app.console import sign_in as signing_in
from app.db import Database
from app.web import keys, sessions
from tests.console.browsing import OURS, VIEWER, browser, make_key, send, sign_in, text_of
from tests.console.conftest import Application
from tests.web.sample import whole


async def number_of_sessions(sqlite: Database) -> int:
    async with sqlite.read() as session:
        found = await session.scalar(select(func.count()).select_from(sessions.console_sessions))
    return found or 0


async def is_in(client: httpx2.AsyncClient) -> bool:
    """Tell whether the overview is shown; else it leads to where one signs in."""
    answer = await client.get("/console")
    if answer.status_code == 303:
        assert answer.headers["location"] == "/console/sign-in"
        return False
    assert answer.status_code == 200, answer.text
    return True


async def test_a_key_opens_the_console_by_a_cookie(anybody: httpx2.AsyncClient) -> None:
    assert not await is_in(anybody)

    answer = await sign_in(anybody, OURS)

    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert OURS not in cookie
    assert await is_in(anybody)


async def test_a_browser_that_speaks_tls_keeps_the_cookie_to_tls(
    anybody: httpx2.AsyncClient,
) -> None:
    answer = await send(anybody, "/console/sign-in", {"key": OURS}, origin="https://localhost:8000")

    assert "; Secure" in answer.headers["set-cookie"]


async def test_a_wrong_key_is_said_kindly_and_slowly(
    anybody: httpx2.AsyncClient, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_in, "WRONG_KEY_S", 0.2)
    began = time.monotonic()

    answer = await sign_in(anybody, "<script>not-a-key</script>")

    assert time.monotonic() - began >= 0.2
    assert answer.status_code == 422
    assert "does not know that key" in text_of(answer)
    assert "not-a-key" not in answer.text
    assert "set-cookie" not in answer.headers
    assert await number_of_sessions(sqlite) == 0
    assert "Paste an API key" in text_of(await sign_in(anybody, " "))


async def test_a_key_that_may_not_look_is_told_what_it_lacks(
    app: FastAPI, anybody: httpx2.AsyncClient
) -> None:
    shop, _ = await make_key(app, "orders:read")
    customer, _ = await make_key(app, "orders:read", customer_id="c-1")

    assert "ops:read" in text_of(await sign_in(anybody, shop))
    assert "bound to a customer" in text_of(await sign_in(anybody, customer))
    assert not await is_in(anybody)


async def test_the_cookie_opens_nothing_but_the_console(anybody: httpx2.AsyncClient) -> None:
    token = (await sign_in(anybody, OURS)).cookies[sessions.COOKIE]
    cookie = {"cookie": f"{sessions.COOKIE}={token}"}

    assert (await anybody.get("/v1/ops/flow", headers=cookie)).status_code == 401
    assert (await anybody.get("/console", headers=cookie)).status_code == 200


async def test_the_token_is_kept_as_a_digest(anybody: httpx2.AsyncClient, sqlite: Database) -> None:
    token = (await sign_in(anybody, OURS)).cookies[sessions.COOKIE]

    async with sqlite.read() as session:
        row = (await session.execute(select(sessions.console_sessions))).one()

    assert row.token_digest == keys.digest(token)
    assert not {token, OURS} & {str(value) for value in row}


OVERVIEW = "/console"
GOALS = {
    "/console/orders?status=pending": "/console/orders?status=pending",
    "/console": OVERVIEW,
    "https://evil.example/console": OVERVIEW,
    "//evil.example/console": OVERVIEW,
    "/\\evil.example": OVERVIEW,
    "/console/../v1/orders": OVERVIEW,
    "/console\\@evil.example": OVERVIEW,
    "/consolers": OVERVIEW,
    "javascript:alert(1)": OVERVIEW,
    "http://[": OVERVIEW,
    "/console/sign-out": OVERVIEW,
    "/console/live/overview": OVERVIEW,
    "": OVERVIEW,
}


async def test_it_leads_back_to_a_page_of_ours_and_nowhere_else(
    anybody: httpx2.AsyncClient,
) -> None:
    reached = {
        goal: (await sign_in(anybody, OURS, next=goal)).headers["location"] for goal in GOALS
    }

    assert reached == GOALS


async def test_the_page_that_was_wanted_is_kept(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.get("/console/audit?who=a&action=b")

    assert answer.headers["location"] == (
        "/console/sign-in?next=%2Fconsole%2Faudit%3Fwho%3Da%26action%3Db"
    )
    form = await anybody.get(answer.headers["location"])
    assert 'value="/console/audit?who=a&amp;action=b"' in form.text


async def test_a_session_ends_with_its_key(app: FastAPI, anybody: httpx2.AsyncClient) -> None:
    secret, id_ = await make_key(app, *VIEWER)
    await sign_in(anybody, secret)
    assert await is_in(anybody)

    async with browser(app, OURS) as admin:
        await admin.delete(f"/v1/api-keys/{id_}")

    assert not await is_in(anybody)


async def test_a_session_ends_with_the_secret_it_began_with(
    app: FastAPI, anybody: httpx2.AsyncClient
) -> None:
    secret, id_ = await make_key(app, *VIEWER)
    await sign_in(anybody, secret)

    async with browser(app, OURS) as admin:
        await admin.post(f"/v1/api-keys/{id_}/rotate", json={"overlap_s": 0})

    assert not await is_in(anybody)


async def test_a_session_ends_in_time_and_is_forgotten(
    anybody: httpx2.AsyncClient, sqlite: Database
) -> None:
    await sign_in(anybody, OURS)
    await sign_in(anybody, OURS)
    assert await number_of_sessions(sqlite) == 2
    rows = sessions.console_sessions
    async with sqlite.write() as session:
        await session.execute(update(rows).values(expires_at=later(-1)))

    assert not await is_in(anybody)
    async with sqlite.write() as session:
        assert await sessions.forget(session, 1) == 1
        assert await sessions.forget(session, 100) == 1
        assert await sessions.forget(session, 100) == 0


async def test_every_process_knows_a_session_and_its_end(
    app: FastAPI, anybody: httpx2.AsyncClient
) -> None:
    await sign_in(anybody, OURS)
    other = whole(app.state.runtime, api_key=OURS, log_level="debug")

    async with browser(other) as elsewhere:
        elsewhere.cookies = anybody.cookies
        assert await is_in(elsewhere)
        out = await send(anybody, "/console/sign-out")
        assert out.headers["location"] == "/console/sign-in"
        assert not await is_in(elsewhere)


async def test_a_session_of_the_server_key_ends_when_that_changes(
    application: Application, anybody: httpx2.AsyncClient
) -> None:
    await sign_in(anybody, OURS)

    async with browser(application(api_key="another-key-of-letters")) as later_on:
        later_on.cookies = anybody.cookies
        assert not await is_in(later_on)


async def test_nobody_signs_in_while_there_is_no_key(operator: httpx2.AsyncClient) -> None:
    assert await is_in(operator)
    answer = await operator.get("/console/sign-in?next=/console/audit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/audit")

    await operator.post("/v1/api-keys", json={"name": "first", "scopes": ["*"]})

    assert not await is_in(operator)


async def test_a_made_up_cookie_opens_nothing(anybody: httpx2.AsyncClient) -> None:
    anybody.cookies.set(sessions.COOKIE, "x" * 43, path="/console")

    assert not await is_in(anybody)


async def test_a_key_in_the_header_opens_it_too(app: FastAPI) -> None:
    async with browser(app, OURS) as client:
        assert await is_in(client)
    async with browser(app, "wrong") as client:
        assert not await is_in(client)
