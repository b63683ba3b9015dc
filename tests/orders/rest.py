"""The application in front of a database, and what tests of the REST API of orders send it."""

from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.db import Database
from app.modules.orders.models.life import OrderStatus
from tests.contracts.told import told
from tests.orders.sample import answer, reserved
from tests.web.sample import Process, settings, whole

SQLITE = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
"""For what the database has no part in: on one of them is enough."""

COMMANDS = ("confirm", "extend", "cancel", "fulfillments")
"""What can be asked of an order, each without a body."""

MUG = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
CUP = {"title": "Cup", "unit_price": {"amount": "1.99", "currency": "GBP"}}


def application(database: Database, **values: Hashable) -> FastAPI:
    """Build the whole application on database, without its loops; it hears of commits."""
    process = Process(settings=settings(**values), database=database)
    database.on_publish = process.wake_up.committed
    return whole(process, **values)


def client_of(app: FastAPI, **headers: str) -> httpx2.AsyncClient:
    """Return a client of the application, on this machine."""
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(
        transport=transport,
        base_url="http://localhost:8000",
        headers=headers,
        event_hooks={"response": [told]},
    )


def app_of(client: httpx2.AsyncClient) -> FastAPI:
    """Return the application behind a client."""
    transport = client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    app = transport.app
    assert isinstance(app, FastAPI)
    return app


def process_of(client: httpx2.AsyncClient) -> Process:
    """Return the process behind a client."""
    process = app_of(client).state.runtime
    assert isinstance(process, Process)
    return process


async def put(client: httpx2.AsyncClient, sku: str, body: dict[str, Any]) -> httpx2.Response:
    """Make a product what the body says."""
    return await client.put(f"/v1/products/{sku}", json=body)


def order_of(*lines: tuple[str, int], **more: object) -> dict[str, object]:
    """Return the body of an order."""
    asked = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return {"customer_id": "c-1", "lines": asked, **more}


async def post(
    client: httpx2.AsyncClient, *lines: tuple[str, int], **more: object
) -> httpx2.Response:
    """Place an order."""
    return await client.post("/v1/orders", json=order_of(*lines, **more))


async def placed_at(
    client: httpx2.AsyncClient, database: Database, status: OrderStatus = OrderStatus.PENDING
) -> str:
    """Place a manual order of two mugs, have it go the way to this status, and return its id."""
    order_id = str((await post(client, ("MUG", 2), confirm="manual")).json()["id"])
    if status is not OrderStatus.PENDING:
        await answer(database, reserved(order_id))
    if status is OrderStatus.CONFIRMED:
        assert (await client.post(f"/v1/orders/{order_id}/confirm")).status_code == 200
    return order_id


async def ask(
    client: httpx2.AsyncClient, order_id: str, command: str, body: object = None, **headers: str
) -> httpx2.Response:
    """Ask something of an order."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(f"/v1/orders/{order_id}/{command}", json=body, headers=sent)


async def timeline(client: httpx2.AsyncClient, order_id: str) -> list[str]:
    """Return the actions of an order's timeline."""
    found = (await client.get(f"/v1/orders/{order_id}/timeline")).json()
    return [entry["action"] for entry in found["items"]]


class Stream:
    """An open event stream, as its client sees it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = anyio.Event()
        self._parts, self._came = anyio.create_memory_object_stream[str](1000)
        self._left = anyio.Event()

    async def receive(self) -> Message:
        """Keep the request open until the client leaves."""
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the reply."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["body"]:
            await self._parts.send(message["body"].decode())
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.ended.set()

    async def part(self) -> str:
        """Return the next part of the reply."""
        with anyio.fail_after(5):
            return await self._came.receive()

    async def event(self) -> tuple[str, str]:
        """Return the id and the name of the next event; comments and the like are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self.part()).strip().splitlines())
            if "id" in fields:
                return fields["id"], fields["event"]

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    def close(self) -> None:
        """Forget what came and was not read."""
        self._parts.close()
        self._came.close()


@asynccontextmanager
async def following(
    app: FastAPI, order_id: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    """Open the event stream of an order; it is closed when the block ends."""
    stream = Stream()
    sent = {"host": "localhost:8000", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/v1/orders/{order_id}/events",
        "raw_path": b"",
        "query_string": b"",
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
