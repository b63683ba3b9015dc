"""A request that takes too long is given up, and leaves nothing half done."""

import logging
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

import anyio
import httpx2
import pytest
import uvicorn
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Receive, Scope, Send

from app.bus import outbox
from app.db import Database
from app.web.auth import principal, require
from app.web.deadline import Deadline, wait_s
from app.web.fields import Wire
from app.web.idempotency import Reply, once
from tests.bus.sample import Rang, ring, unpublished_count
from tests.web.sample import Process, ThingOut, build, count, problem_of, settings, things

router = APIRouter(
    prefix="/v1/slow", dependencies=[Depends(principal), Depends(require("orders:write"))]
)


class Pause(Wire):
    before_s: float = 0
    inside_s: float = 0
    after_s: float = 0


@router.post("")
async def slow(request: Request, pause: Pause) -> Response:
    """Make a thing, taking a rest before the transaction, in it, and after it."""
    await anyio.sleep(pause.before_s)

    async def work(session: AsyncSession) -> Reply:
        made = insert(things).values(sku="MUG", quantity=1).returning(things.c.id)
        id_ = (await session.execute(made)).scalar_one()
        await anyio.sleep(pause.inside_s)
        return Reply(status=HTTPStatus.CREATED, body=ThingOut(id=id_, sku="MUG", quantity=1))

    response = await once(request, pause, work)
    await anyio.sleep(pause.after_s)
    return response


@router.get("/stream")
async def stream() -> Response:
    """Begin at once, and go on for longer than a request may take."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"part\n"
            await anyio.sleep(0.1)

    return StreamingResponse(parts())


@pytest.fixture
def hasty(process: Process) -> Process:
    process.settings = settings(request_timeout_s=0.2)
    return process


@pytest.fixture
async def client(hasty: Process) -> AsyncIterator[httpx2.AsyncClient]:
    app = build(hasty)
    app.include_router(router)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


async def post(client: httpx2.AsyncClient, key: str, **pause: float) -> httpx2.Response:
    return await client.post("/v1/slow", json=pause, headers={"idempotency-key": key})


@pytest.mark.parametrize("place", ["before_s", "inside_s"])
async def test_work_that_is_given_up_is_rolled_back_and_can_be_sent_again(
    client: httpx2.AsyncClient, hasty: Process, place: str
) -> None:
    given_up = await post(client, "k", **{place: 5})

    assert given_up.status_code == 503
    document = problem_of(given_up)
    assert document["code"] == "deadline_exceeded"
    assert document["retryable"] is True
    assert "same Idempotency-Key" in document["detail"]
    assert given_up.headers["retry-after"] == "1"
    assert await count(hasty.database) == 0
    # The writer's turn, its connection and the key are all free again.
    again = await client.post("/v1/slow", json={}, headers={"idempotency-key": "k"})
    assert again.status_code == 201
    assert await count(hasty.database) == 1


async def test_what_was_committed_before_is_not_made_twice(
    client: httpx2.AsyncClient, hasty: Process
) -> None:
    given_up = await post(client, "k", after_s=5)
    again = await post(client, "k", after_s=5)

    assert problem_of(given_up)["code"] == "deadline_exceeded"
    assert again.status_code == 503
    assert await count(hasty.database) == 1


@pytest.mark.parametrize("place", ["between two statements", "in a statement"])
async def test_a_transaction_that_is_cut_short_holds_nothing_on_any_database(
    database: Database, place: str
) -> None:
    async def work(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - of ASGI
        async with database.write() as session:
            await outbox.publish(session, Rang(bell="a"))
            if place == "in a statement" and not database.single_writer:
                await session.execute(text("SELECT pg_sleep(20)"))
            await anyio.sleep(20)

    transport = httpx2.ASGITransport(app=Deadline(work, timeout_s=0.1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with anyio.fail_after(15):
            given_up = [await client.post("/") for _ in range(2)]
            await ring(database, Rang(bell="b"))

    assert [one.status_code for one in given_up] == [503, 503]
    assert await unpublished_count(database) == 1


async def test_an_answer_that_has_begun_takes_as_long_as_it_takes(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get("/v1/slow/stream")

    assert response.status_code == 200
    assert response.text == "part\n" * 4


async def test_what_a_client_wants_to_wait_is_added(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/v1/slow", json={"before_s": 0.4}, headers={"prefer": "respond-async, wait=1"}
    )

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"wait=5", 5),
        (b"respond-async, wait=10", 10),
        (b'Wait = "7"; x=1', 7),
        (b"wait=99999", 30),
        (b"await=5", 0),
        (b"wait=-5", 0),
        (b"wait", 0),
    ],
)
def test_the_wait_is_read_from_prefer(header: bytes, seconds: int) -> None:
    assert wait_s({"headers": [(b"prefer", header)]}) == seconds


async def test_one_who_may_wait_longer_does_not_keep_another_waiting(
    client: httpx2.AsyncClient,
) -> None:
    with anyio.fail_after(15):
        async with anyio.create_task_group() as group:
            longer = {"prefer": "wait=30"}
            group.start_soon(
                partial(client.post, "/v1/slow", json={"before_s": 30}, headers=longer)
            )
            await anyio.sleep(0.1)
            for _ in range(2):
                given_up = await post(client, "k", before_s=5)

                assert problem_of(given_up)["code"] == "deadline_exceeded"
            group.cancel_scope.cancel()


@asynccontextmanager
async def served(process: Process) -> AsyncIterator[int]:
    """Serve on a port of this machine until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(build(process), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])
        while not server.started:
            await anyio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True


HALF = (
    b"POST /v1/things HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 26\r\n\r\n" + b'{"sku":"MUG"'
)


async def half_sent(port: int, told: list[bytes]) -> None:
    """Send half a body, and keep what comes until the connection is closed."""
    async with await anyio.connect_tcp("127.0.0.1", port) as connection:
        await connection.send(HALF)
        told.extend([part async for part in connection])


async def test_a_body_that_does_not_arrive_is_not_waited_for(hasty: Process) -> None:
    told: list[bytes] = []
    async with served(hasty) as port:
        with anyio.fail_after(20):
            await half_sent(port, told)

    head, _, body = b"".join(told).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in head.lower()
    assert b'"code": "body_timeout"' in body


async def test_a_half_sent_body_does_not_hold_up_a_stop(process: Process) -> None:
    told: list[bytes] = []
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    async with served(process) as port, anyio.create_task_group() as group:
        group.start_soon(half_sent, port, told)
        await anyio.sleep(0.1)
        assert not told
        process.draining = True
        with anyio.fail_after(20):
            while not told:
                await anyio.sleep(0.02)

    head, _, body = b"".join(told).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"connection: close" in head.lower()
    assert b'"code": "stopping"' in body
    assert await count(process.database) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")
def test_a_loop_that_was_held_up_serves_the_next_request_all_the_same() -> None:
    """A timer that is overdue is another kind of object on uvloop."""
    import uvloop  # noqa: PLC0415 - not on every platform

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        until = time.perf_counter() + 0.3
        while time.perf_counter() < until:  # the whole loop shall be late
            pass
        await Response("done")(scope, receive, send)

    async def three() -> list[int]:
        transport = httpx2.ASGITransport(app=Deadline(slow, timeout_s=30))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.post("/", content=b"x")).status_code for _ in range(3)]

    assert uvloop.run(three()) == [200, 200, 200]
