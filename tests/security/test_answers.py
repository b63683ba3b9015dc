"""What every answer carries, and never carries: pages, files, refusals and failures alike."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from fastapi import FastAPI

from app.db import Database
from tests.orders.rest import SQLITE, application
from tests.security import surface
from tests.security.conftest import KEY
from tests.security.surface import send
from tests.web.sample import Process

EVIL = "https://evil.example"
OPERATIONS = surface.operations()
FILES = ("/docs/start.js", "/docs/page.css", "/docs/assets/swagger-ui.css", "/openapi.json")
PAGES = (
    *("/docs", "/asyncapi", "/problems", "/problems/unauthenticated", "/problems/none"),
    *("/console", "/console/sign-in", "/console/nothing", "/console/live/nothing"),
    *("/console/static/1/console.css", "/console/static/1/nothing.css"),
)
ODD = (
    "/",
    "/nothing",
    "/v1",
    "/v1/",
    "/V1/orders",
    "/v1/orders/",
    "/v1//orders",
    "/docs/assets/no",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")

pytestmark = [SQLITE]


@pytest.fixture
def app(closed_database: Database) -> FastAPI:
    """Give the whole application, which asks for a key."""
    return application(closed_database, api_key=KEY)


@pytest.fixture
async def client(app: FastAPI, database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect without a key; what fails in the server is an answer here as anywhere."""
    del database
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as opened:
        yield opened


def amiss(answer: httpx2.Response) -> Iterator[str]:
    """Yield what is wrong with the headers of an answer."""
    headers = answer.headers
    if headers.get_list("x-content-type-options") != ["nosniff"]:
        yield "a browser may guess its type"
    if len(headers.get_list("x-correlation-id")) != 1:
        yield "nobody can find it in the log"
    told = {name for name in headers if name.startswith("access-control-")}
    told |= {"server", "x-powered-by", "via"} & headers.keys()
    if told:
        yield f"it tells {told}"
    if answer.content and "content-type" not in headers:
        yield "it has no type"
    if headers.get("content-type", "").startswith("text/html"):
        policy = headers.get("content-security-policy", "")
        if not {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(
            policy.split("; ")
        ):
            yield f"its policy is {policy!r}"
        if re.search(r"script-src[^;]*('unsafe|\*|http|data:)", policy):
            yield f"its policy lets scripts in: {policy!r}"
        if headers.get("referrer-policy") not in {"no-referrer", "same-origin"}:
            yield "it tells others where its visitors are from"
    if re.search(r"Traceback \(most|File \"/|sqlalchemy|site-packages", answer.text):
        yield "it tells of our inside"


async def test_every_answer_is_safe_to_show(client: httpx2.AsyncClient) -> None:
    found: list[str] = []

    def look(answer: httpx2.Response) -> None:
        of = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
        found.extend(f"{of}: {one}" for one in amiss(answer))

    for headers in ({}, {"authorization": f"Bearer {KEY}"}, {"origin": EVIL}):
        for operation in OPERATIONS:
            look(await send(client, operation, headers=headers))
        for path in (*FILES, *PAGES, *ODD):
            look(await client.get(path, headers=headers))
    for path in ("/v1/orders", "/v1/orders/x", "/docs", "/console", "/health/live", "/nothing"):
        for method in METHODS:
            look(await client.request(method, path))

    assert not found, "\n".join(found)


async def test_no_other_site_is_let_in_by_a_browser(client: httpx2.AsyncClient) -> None:
    for operation in OPERATIONS:
        asked = {"origin": EVIL, "access-control-request-method": operation.method}
        answer = await client.options(operation.at(), headers=asked)
        assert answer.status_code == 405, str(operation)
        if operation.method != "GET":
            headers = {"origin": EVIL, "authorization": f"Bearer {KEY}"}
            answer = await send(client, operation, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


async def test_methods_that_nobody_serves_do_nothing(client: httpx2.AsyncClient) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-secret": "sent-and-not-sent-back"}
    for path in {one.at() for one in OPERATIONS} | {"/", "/docs", "/console"}:
        for method in ("TRACE", "TRACK", "CONNECT", "PROPFIND", "DEBUG"):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 405, f"{method} {path}"
            assert "sent-and-not-sent-back" not in answer.text


async def test_a_failure_tells_nothing_of_what_failed(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = app.state.runtime
    assert isinstance(process, Process)
    broken = RuntimeError("password=hunter2 in /srv/app/secret.py")

    def fail(*_: object, **__: object) -> None:
        raise broken

    for name in ("read", "write", "snapshot", "together"):
        monkeypatch.setattr(process.database, name, fail)
    failed = 0
    for operation in OPERATIONS:
        answer = await send(client, operation, headers={"authorization": f"Bearer {KEY}"})
        assert not list(amiss(answer)), str(operation)
        assert "hunter2" not in answer.text
        assert "secret.py" not in str(answer.headers)
        if answer.status_code == 500 and not operation.is_endless:
            failed += 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "internal"
    for path in PAGES:
        answer = await client.get(path, headers={"authorization": f"Bearer {KEY}"})
        assert not list(amiss(answer)), path
        assert "hunter2" not in answer.text

    assert failed > 30


async def test_headers_come_back_only_as_they_may(client: httpx2.AsyncClient) -> None:
    """Of what is sent, ids alone are sent back, and only if they are ids."""
    for value in (b"a\r\nset-cookie: x=1", b"<script>", b"\xff\xfe", b"a" * 129, b"a b", b'"', b""):
        for name in (b"x-correlation-id", b"x-request-id", b"traceparent", b"idempotency-key"):
            for operation in OPERATIONS[::8]:
                answer = await client.request(
                    "GET" if operation.method == "GET" else "PUT",
                    operation.at(),
                    headers=[(name, value)],
                )
                told = {one.lower() for one in answer.headers}
                assert "set-cookie" not in told
                assert value not in [one for _, one in answer.headers.raw] or not value
                assert re.fullmatch(r"[\w.:-]{1,128}", answer.headers["x-correlation-id"])
