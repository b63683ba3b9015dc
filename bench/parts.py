"""The way of an order in parts, each run alone, and the CPU its process used for it."""

import json
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import httpx2
from fastapi import FastAPI

from app.bus import inbox
from app.bus.consumer import Consumer
from app.bus.relay import Relay
from app.bus.stream import Entry, Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse, Supervisor
from app.bus.wakeup import WakeUp
from app.db import Database
from app.main import SUBSCRIBERS, create_app
from app.modules.inventory.models.drafts import ReceiptDraft
from app.modules.inventory.service.receive import receive
from app.modules.orders.service.products import ProductDraft, put_product
from app.runtime import Runtime
from app.settings import Settings

SKUS = tuple(f"SKU-{number:03}" for number in range(200))
CLIENTS = 8
"""How many requests are under way at a time while intake is measured."""

Intake: TypeAlias = Callable[[Sequence[bytes]], Awaitable[float]]
"""Posts orders and returns the seconds of CPU that the serving process used."""


@dataclass
class Figures:
    """Microseconds of CPU per order by part, and what each batch held on average."""

    cost_us: dict[str, float] = field(default_factory=dict)
    batch: dict[str, float] = field(default_factory=dict)

    def note(self, part: str, cpu_s: float, orders: int, batches: int) -> None:
        """Record one part."""
        self.cost_us[part] = cpu_s * 1e6 / orders
        self.batch[part] = orders / batches

    @property
    def total_us(self) -> float:
        """The whole way of one order."""
        return sum(self.cost_us.values())


class CountingStream(Stream):
    """Stops a consumer once enough entries are acknowledged; nothing has to ask meanwhile."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, prefix=prefix)
        self.acknowledged = self.batches = self.enough = 0
        self.pulse = Pulse("bench")

    def expect(self, entries: int) -> Pulse:
        """Start counting, and return the pulse that stops after so many."""
        self.acknowledged, self.batches, self.enough = 0, 0, entries
        self.pulse = Pulse("bench")
        return self.pulse

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Acknowledge and count."""
        await super().ack(group, entries)
        self.acknowledged += len(entries)
        self.batches += 1
        if self.acknowledged >= self.enough:
            self.pulse.stop()


@dataclass(frozen=True)
class Line:
    """An assembly line: a database, a stream of its own, and what takes orders in."""

    database: Database
    stream: CountingStream
    intake: Intake

    async def prepare(self) -> None:
        """Register the subscribers, the products, and more stock than anyone can order."""
        async with self.database.write() as session:
            await inbox.subscribe(session, SUBSCRIBERS)
            for sku in SKUS:
                draft = ProductDraft(sku=sku, title=sku, unit_price_minor=425, currency="GBP")
                await put_product(session, draft)
            await receive(session, [ReceiptDraft(lines=[(sku, 10**9) for sku in SKUS])])

    async def run(self, orders: int, lines: int) -> Figures:
        """Take orders the whole way, one part after the other, and return what each cost."""
        figures = Figures()
        by_name = {subscriber.name: subscriber for subscriber in SUBSCRIBERS}
        figures.note("intake", await self.intake(list(bodies(orders, lines))), orders, orders)
        await self._relay(figures, "relay order_created", orders)
        await self._consume(figures, "inventory decides", by_name["inventory"], orders)
        await self._relay(figures, "relay stock_reserved", orders)
        await self._consume(figures, "orders settles", by_name["orders"], orders)
        await self._relay(figures, "relay order_confirmed", orders)
        # These orders confirm themselves: their units are promised already.
        await self._consume(
            figures, "inventory hears order_confirmed", by_name["inventory"], orders
        )
        return figures

    async def _relay(self, figures: Figures, part: str, orders: int) -> None:
        relay, pages = Relay(self.database, self.stream, WakeUp()), []
        began = time.process_time()
        while sent := await relay.publish_page():
            pages.append(sent)
        figures.note(part, time.process_time() - began, orders, len(pages))
        _require(sum(pages) == orders, f"{part}: {sum(pages)} events for {orders} orders")

    async def _consume(
        self, figures: Figures, part: str, subscriber: Subscriber, orders: int
    ) -> None:
        consumer = Consumer(self.database, self.stream, subscriber, "bench")
        pulse = self.stream.expect(orders)
        began = time.process_time()
        with anyio.fail_after(60):
            await consumer.run(pulse)
        figures.note(part, time.process_time() - began, orders, self.stream.batches)


def bodies(orders: int, lines: int) -> Iterator[bytes]:
    """Yield the bodies of orders, the same ones in each run."""
    chance = random.Random(orders)
    for number in range(orders):
        chosen = [{"sku": sku, "quantity": 2} for sku in chance.sample(SKUS, lines)]
        yield json.dumps({"customer_id": f"c-{number}", "lines": chosen}).encode()


def in_process(database: Database, stream: Stream, settings: Settings) -> Intake:
    """Return an intake that calls the ASGI application here, without a server and without loops."""
    app = create_app(settings)
    app.state.runtime = Runtime(settings, database, stream, Supervisor([], lambda: None), WakeUp())

    async def post(orders: Sequence[bytes]) -> float:
        began = time.process_time()
        await _by_clients(orders, lambda body: _call(app, body))
        return time.process_time() - began

    return post


def over_http(url: str, pid: int) -> Intake:
    """Return an intake that posts to the server at url, which is the process pid."""

    async def post(orders: Sequence[bytes]) -> float:
        began = cpu_s(pid)
        headers = {"Content-Type": "application/json"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as client:

            async def one(body: bytes) -> None:
                reply = await client.post("/v1/orders", content=body)
                _require(reply.status_code == httpx2.codes.CREATED, reply.text)

            await _by_clients(orders, one)
        return cpu_s(pid) - began

    return post


async def _by_clients(orders: Sequence[bytes], post: Callable[[bytes], Awaitable[None]]) -> None:
    waiting = iter(orders)

    async def client() -> None:
        for body in waiting:
            await post(body)

    async with anyio.create_task_group() as group:
        for _ in range(CLIENTS):
            group.start_soon(client)


async def _call(app: FastAPI, body: bytes) -> None:
    """Post one order as a server would, but for the sockets and the parsing of HTTP."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's mapping
        if message["type"] == "http.response.start":
            _require(message["status"] == httpx2.codes.CREATED, str(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/orders",
        "raw_path": b"/v1/orders",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)


def cpu_s(pid: int) -> float:
    """Return the user and system time of another process so far, in seconds."""
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # macOS
        command = ["/bin/ps", "-o", "time=", "-p", str(pid)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        minutes, _, seconds = shown.strip().rpartition(":")
        return float(minutes) * 60 + float(seconds)
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def _require(truth: bool, otherwise: str) -> None:  # noqa: FBT001 - as assert, but never left out
    if not truth:
        raise RuntimeError(otherwise)
