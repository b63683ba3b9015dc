"""Answers leave in one piece, and nothing that should leave is kept."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from anyio.abc import ByteStream
from starlette.types import Receive, Scope, Send

from app.cli.joined import JoinedProtocol

LARGE = 8_000_000
GET = b"GET %b HTTP/1.1\r\nhost: localhost\r\n%b\r\n"


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, or at `/slow` in two steps, or at `/large` with more than buffers hold."""
    del receive
    body = b"x" * LARGE if scope["path"] == "/large" else b"answer"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    if scope["path"] == "/slow":
        await anyio.sleep(0.5)
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Serve on a port of this machine until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answers, http=JoinedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])
        while not server.started:
            await anyio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True


@asynccontextmanager
async def connected() -> AsyncIterator[ByteStream]:
    async with served() as port:
        with anyio.fail_after(30):
            async with await anyio.connect_tcp("127.0.0.1", port) as connection:
                yield connection


async def test_head_and_body_come_together() -> None:
    async with connected() as connection:
        for _ in range(20):
            await connection.send(GET % (b"/", b""))
            got = await connection.receive()

            assert got.startswith(b"HTTP/1.1 200")
            assert got.endswith(b"answer")


async def test_a_head_does_not_wait_for_its_body() -> None:
    async with connected() as connection:
        await connection.send(GET % (b"/slow", b""))

        head = await connection.receive()
        assert head.endswith(b"\r\n\r\n")
        assert await connection.receive() == b"answer"


@pytest.mark.parametrize("path", [b"/", b"/large"])
async def test_all_of_an_answer_comes_before_the_end(path: bytes) -> None:
    async with connected() as connection:
        await connection.send(GET % (path, b"connection: close\r\n"))

        got = b"".join([part async for part in connection])

    _, _, body = got.partition(b"\r\n\r\n")
    assert len(body) == (LARGE if path == b"/large" else len(b"answer"))


async def test_requests_sent_at_once_are_answered_in_turn() -> None:
    async with connected() as connection:
        await connection.send(GET % (b"/slow", b"") + GET % (b"/", b"connection: close\r\n"))

        got = b"".join([part async for part in connection])

    assert got.count(b"answer") == 2
