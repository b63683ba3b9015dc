"""The head of a request has a length and a time, and offers another protocol in vain."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
import uvicorn
from anyio.abc import ByteStream
from starlette.types import Receive, Scope, Send

from app.cli import heads
from app.cli.heads import MOST_BYTES, HeadProtocol

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
OFFER = b"connection: keep-alive, upgrade\r\nupgrade: h2c\r\n"
CLOSE = b"connection: close\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body, and the names of the headers that came with it."""
    body, is_more = b"", True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    if scope["path"] == "/slow":
        await anyio.sleep(0.3)
    names = b",".join(sorted(name for name, _ in scope["headers"]))
    answer = b"%b|%b|%b;" % (scope["method"].encode(), names, body)
    length = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def connected(kept_s: int = 5) -> AsyncIterator[ByteStream]:
    """Connect to a server of this process, which keeps a quiet connection for so many seconds."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo, http=HeadProtocol, lifespan="off", log_config=None, timeout_keep_alive=kept_s
    )
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])
        while not server.started:
            await anyio.sleep(0.01)
        try:
            with anyio.fail_after(10):
                address = listener.getsockname()[1]
                async with await anyio.connect_tcp("127.0.0.1", address) as connection:
                    yield connection
        finally:
            server.should_exit = True


async def rest_of(connection: ByteStream) -> bytes:
    """Return what comes until the server closes."""
    return b"".join([part async for part in connection])


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a head arrive in less time than tests like to wait."""
    monkeypatch.setattr(heads, "SECONDS", 0.2)


async def test_a_head_without_end_is_refused_long_before_it_fills_the_memory() -> None:
    async with connected() as connection:
        sent = 0
        await connection.send(GET + b"x-a: ")
        with suppress(anyio.BrokenResourceError):
            while sent < 50_000_000:
                await connection.send(b"a" * 50_000)
                sent += 50_000

    assert sent < 20_000_000  # what the kernel keeps of it


async def test_a_head_of_some_length_is_read() -> None:
    async with connected() as connection:
        for _ in range(3):
            await connection.send(GET + b"x-a: " + b"a" * (MOST_BYTES - 1000) + b"\r\n\r\n")
            assert b"GET|host,x-a|;" in await connection.receive()


async def test_a_long_body_is_no_part_of_a_head() -> None:
    async with connected() as connection:
        body = b"x" * (MOST_BYTES * 4)
        head = GET + b"content-length: %d\r\n" % len(body)
        await connection.send(head + b"\r\n" + body + GET + CLOSE + b"\r\n")

        assert (await rest_of(connection)).count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("beginning", [b"", GET + b"\r\n"], ids=["first", "later"])
@pytest.mark.usefixtures("hurried")
async def test_a_head_that_does_not_arrive_is_not_waited_for(beginning: bytes) -> None:
    async with connected() as connection:
        await connection.send(beginning + b"GET / HTT")
        with anyio.fail_after(2):
            got = await rest_of(connection)

    assert got.count(b"HTTP/1.1 200") == bool(beginning)
    assert got.endswith(
        b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )


@pytest.mark.usefixtures("hurried")
async def test_a_head_byte_by_byte_has_no_more_time() -> None:
    async with connected() as connection, anyio.create_task_group() as group:

        async def drip() -> None:
            for byte in GET:
                await connection.send(bytes([byte]))
                await anyio.sleep(0.05)

        group.start_soon(drip)
        with anyio.fail_after(1):
            assert b" 408 " in await rest_of(connection)
        group.cancel_scope.cancel()


@pytest.mark.usefixtures("hurried")
async def test_whoever_says_nothing_is_not_answered() -> None:
    async with connected() as connection:
        with anyio.fail_after(2):
            assert await rest_of(connection) == b""


@pytest.mark.usefixtures("hurried")
async def test_an_answer_on_its_way_is_not_cut_by_the_next_head() -> None:
    async with connected() as connection:
        slow = GET.replace(b"GET /", b"GET /slow")
        await connection.send(slow + b"\r\n" + b"GET / HTT")

        got = await rest_of(connection)

    assert got.index(b"GET|host|;") < got.index(b" 408 ")


async def test_blank_lines_do_not_keep_a_connection() -> None:
    async with connected(kept_s=1) as connection:
        await connection.send(GET + b"\r\n")
        assert b"GET|host|;" in await connection.receive()
        await connection.send(b"\r\n")

        with anyio.fail_after(3):
            assert await rest_of(connection) == b""


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "framed",
    [b"content-length: 4\r\n\r\nbody", b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"],
    ids=["length", "chunks"],
)
async def test_a_body_beside_an_offer_is_a_body(framed: bytes, *, apart: bool) -> None:
    post = GET.replace(b"GET", b"POST") + OFFER
    head, blank, body = (post + framed).partition(b"\r\n\r\n")
    async with connected() as connection:
        for packet in (head + blank, body) if apart else (head + blank + body,):
            await connection.send(packet)
            await anyio.sleep(0.05)
        assert b"|body;" in await connection.receive()
        await connection.send(GET + CLOSE + b"\r\n")

        assert b"GET|connection,host|;" in await rest_of(connection)


async def test_a_thousand_offers_at_once_are_a_thousand_requests() -> None:
    async with connected() as connection:
        await connection.send((GET + OFFER + b"\r\n") * 1000 + GET + CLOSE + b"\r\n")

        assert (await rest_of(connection)).count(b"HTTP/1.1 200") == 1001


async def test_trailers_are_no_headers() -> None:
    async with connected() as connection:
        head = GET.replace(b"GET", b"POST") + b"transfer-encoding: chunked\r\n\r\n"
        await connection.send(
            head + b"0\r\nauthorization: Bearer x\r\n\r\n" + GET + CLOSE + b"\r\n"
        )

        got = await rest_of(connection)

    assert b"POST|host,transfer-encoding|;" in got
    assert b"GET|connection,host|;" in got
