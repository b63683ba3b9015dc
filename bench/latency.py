"""From POST to confirmed, as a client sees it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bench.parts import SKUS, bodies

POLL_S = 0.002


@dataclass
class Latency:
    """Milliseconds, one entry per order, and how far apart two looks at an order were."""

    posted: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)


async def latency(url: str, *, rate: int, seconds: float, lines: int) -> Latency:
    """Place orders at a fixed rate, whatever the answers take, and wait for each to be confirmed.

    Times count from the moment an order was due, so that a server which stalls does not make
    its own measurement stop.
    """
    found = Latency()
    async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
        await _stock(client)
        # The first statements of each kind compile; that is not what is asked for.
        await _open_loop(client, Latency(), list(bodies(rate, lines)), rate)
        await _open_loop(client, found, list(bodies(round(rate * seconds), lines)), rate)
    return found


async def _stock(client: httpx2.AsyncClient) -> None:
    for sku in SKUS:
        values = {"title": sku, "unit_price": {"amount": "4.25", "currency": "GBP"}}
        (await client.put(f"/v1/products/{sku}", json=values)).raise_for_status()
    units = [{"sku": sku, "quantity": 10**6} for sku in SKUS]
    reply = await client.post("/v1/inventory/receipts", json={"lines": units})
    reply.raise_for_status()


async def _open_loop(
    client: httpx2.AsyncClient, found: Latency, orders: Sequence[bytes], rate: int
) -> None:
    send, placed = anyio.create_memory_object_stream[tuple[str, float]](len(orders))
    began = time.perf_counter()
    with anyio.fail_after(len(orders) / rate + 20):
        async with anyio.create_task_group() as group, send:
            group.start_soon(_watch, client, found, placed)
            for number, body in enumerate(orders):
                due = began + number / rate
                await anyio.sleep(max(0, due - time.perf_counter()))
                group.start_soon(_place, client, found, body, due, send.clone())


async def _place(
    client: httpx2.AsyncClient,
    found: Latency,
    body: bytes,
    due: float,
    send: MemoryObjectSendStream[tuple[str, float]],
) -> None:
    headers = {"Content-Type": "application/json"}
    with send:
        reply = await client.post("/v1/orders", content=body, headers=headers)
        found.posted.append((time.perf_counter() - due) * 1000)
        await send.send((reply.raise_for_status().json()["id"], due))


async def _watch(
    client: httpx2.AsyncClient,
    found: Latency,
    placed: MemoryObjectReceiveStream[tuple[str, float]],
) -> None:
    """Ask for one order at a time until it is confirmed: orders are decided in sequence.

    Asking for each open order at once would be most of the load on what is measured.
    """
    async for order_id, due in placed:
        status = "pending"
        while status != "confirmed":
            asked = time.perf_counter()
            reply = await client.get(f"/v1/orders/{order_id}")
            status = reply.raise_for_status().json()["status"]
            if status == "pending":
                await anyio.sleep(POLL_S)
                found.looks.append((time.perf_counter() - asked) * 1000)
            elif status != "confirmed":
                raise RuntimeError(f"order {order_id} is {status}")
        found.confirmed.append((time.perf_counter() - due) * 1000)
