"""The table of routes answers as FastAPI would, and leaves to it what is not in the table."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Request, Response

from app.bus.tables import metadata
from tests.least_privilege import as_owner
from tests.web.sample import Process, ThingIn, build

JSON = {"content-type": "application/json"}
THING = b'{"sku":"MUG","quantity":1}'
SAME = {
    "x-correlation-id": "c-1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def without_table(app: FastAPI) -> FastAPI:
    """Have FastAPI find the routes."""
    assert "RouteTable" in repr(app.user_middleware.pop())
    return app


def connected(app: FastAPI, *, root_path: str = "") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, root_path=root_path)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=SAME)


def seen(response: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
    """Return what has to be the same of two answers to one request."""
    own = {"traceparent", "idempotency-replayed"}
    headers = {name: value for name, value in response.headers.items() if name not in own}
    return response.status_code, headers, response.content


@pytest.fixture(autouse=True)
async def events(process: Process) -> None:
    """Make the tables that a route which takes orders looks into."""
    async with as_owner(process.database) as connection:
        await connection.run_sync(metadata.create_all)


SENT: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/health/live", {}),
    ("GET", "/v1/things", {}),
    ("GET", "/v1/things?limit=2&sku=A&sku=B", {}),
    ("GET", "/v1/things?limit=x", {}),
    ("GET", "/v1/things?colour=red", {}),
    ("HEAD", "/v1/things", {}),
    ("GET", "/v1/things/", {}),
    ("GET", "//v1/things", {}),
    ("GET", "/v1/things%0A", {}),
    ("GET", "/v1/things/M%20G/name", {}),
    ("GET", "/v1/things/M%2FG/name", {}),
    ("GET", "/v1/things/%0A/name", {}),
    ("GET", "/v1/things//name", {}),
    ("GET", "/v1/things/crowded", {}),
    ("DELETE", "/v1/things", {}),
    ("PUT", "/v1/things/MUG/name", {"content": THING, "headers": JSON}),
    ("GET", "/v1/nowhere", {}),
    ("GET", "/docs/assets/swagger-ui.css", {}),
    ("GET", "/problems/not_found", {}),
    ("GET", "/openapi.json", {}),
    ("POST", "/v1/things", {"content": THING, "headers": JSON}),
    ("POST", "/v1/things", {"content": b'{"sku":""}', "headers": JSON}),
    ("POST", "/v1/things", {"content": b"null", "headers": JSON}),
    ("POST", "/v1/things", {"content": b"[1]", "headers": JSON}),
    ("POST", "/v1/things", {"content": b"{", "headers": JSON}),
    ("POST", "/v1/things", {"content": b"\xff", "headers": JSON}),
    ("POST", "/v1/things", {"content": b"\xef\xbb\xbf" + THING, "headers": JSON}),
    ("POST", "/v1/things", {"content": THING.decode().encode("utf-16"), "headers": JSON}),
    ("POST", "/v1/things", {"content": b"", "headers": JSON}),
    ("POST", "/v1/things", {"content": THING}),
    ("POST", "/v1/things/orders", {}),
    ("POST", "/v1/things/orders", {"content": THING, "headers": JSON}),
]


@pytest.mark.parametrize("root_path", ["", "/prefix"])
async def test_the_answer_is_fastapis(process: Process, root_path: str) -> None:
    async with (
        connected(without_table(build(process)), root_path=root_path) as fastapi,
        connected(build(process), root_path=root_path) as ours,
    ):
        for number, (method, path, sent) in enumerate(SENT):
            asked = {**sent, "headers": {**sent.get("headers", {}), "idempotency-key": f"{number}"}}
            long = await fastapi.request(method, root_path + path, **asked)
            short = await ours.request(method, root_path + path, **asked)

            assert seen(short) == seen(long), (method, path, sent)


async def test_of_two_routes_the_first_is_meant(process: Process) -> None:
    async def said(request: Request) -> str:
        return f"{request.scope['route'].name} {dict(request.path_params)}"

    app = build(process)
    for name, path in (
        ("one", "/w/{a}/x"),
        ("two", "/w/v/x"),
        ("three", "/w/v/y"),
        ("four", "/w/{a}/y"),
    ):
        app.get(path, name=name)(said)
    async with connected(app) as client:
        told = [(await client.get(path)).json() for path in ("/w/v/x", "/w/v/y", "/w/u/y")]

    assert told == ["one {'a': 'v'}", "three {}", "four {'a': 'u'}"]


async def test_what_has_to_be_closed_is_left_to_fastapi(process: Process) -> None:
    closed: list[str] = []

    async def opened() -> AsyncIterator[str]:
        yield "open"
        closed.append("closed")

    async def shown(state: str = Depends(opened)) -> str:
        assert not closed
        return state

    app = build(process)
    app.get("/door")(shown)
    app.get("/rooms/{number:int}")(lambda number: number + 1)
    async with connected(app) as client:
        assert (await client.get("/door")).json() == "open"
        assert (await client.get("/rooms/6")).json() == 7

    assert closed == ["closed"]


async def test_a_body_is_given_to_the_function_as_it_is_declared(process: Process) -> None:
    async def told(thing: ThingIn, asked: Request) -> Response:
        return Response(f"{asked.method} {thing.quantity} {type(thing).__name__}")

    async def two(thing: ThingIn, other: ThingIn) -> Response:
        return Response(f"{thing.sku} {other.sku}")

    app = build(process)
    app.post("/told")(told)
    app.post("/two")(two)
    async with connected(app) as client:
        one = await client.post("/told", content=THING, headers=JSON)
        both = b'{"thing":' + THING + b',"other":{"sku":"CUP","quantity":1}}'
        pair = await client.post("/two", content=both, headers=JSON)

    assert (one.text, pair.text) == ("POST 1 ThingIn", "MUG CUP")


async def test_what_a_route_asks_for_comes_before_its_work(process: Process) -> None:
    worked: list[str] = []

    async def refuse(request: Request) -> None:
        assert request.method == "POST"
        raise LookupError

    async def work(thing: ThingIn) -> Response:
        worked.append(thing.sku)
        return Response()

    app = build(process)
    app.post("/work", dependencies=[Depends(refuse)])(work)
    async with connected(app) as client:
        response = await client.post("/work", content=THING, headers=JSON)

    assert response.status_code == 500
    assert worked == []
