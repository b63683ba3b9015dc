"""Orders at a fixed rate, and when each was confirmed: `python -m bench.open_loop URL`.

Times count from the moment an order was due, so that a server which stalls does not make its own
measurement stop. That an order is confirmed is seen in the database, by a connection of this
process alone that looks every millisecond: asking the API would be most of its load.
"""

import argparse
import asyncio
import itertools
import json
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import uvloop

from bench.client import requests

LOOK_S = 0.001
_ID = re.compile(rb'"id":"(ord_[0-9a-f]+)"')
_SQL = "SELECT id FROM orders WHERE status = 'confirmed' AND id >= "

Look = Callable[[str], Awaitable[list[str]]]
"""Returns the confirmed orders from this id on."""


@dataclass
class Seen:
    """Milliseconds from due to answered and to confirmed, and what is still open."""

    posted: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    open: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    all_sent: bool = False


class Client:
    """Connections that are kept, as many as are busy at a time."""

    def __init__(self, url: str) -> None:
        address = url.split("/")[2]
        self._host, _, self._port = address.rpartition(":")
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, request: bytes) -> tuple[int, bytes]:
        """Send one request and return status and body."""
        while True:
            is_kept = bool(self._idle)
            reader, writer = await self._connection()
            try:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                # The server closes what is idle for long, unread.
                if not is_kept:
                    raise
        length = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
        body = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return int(head[9:12]), body

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle:
            return self._idle.pop()
        return await asyncio.open_connection(self._host, int(self._port))


async def run(url: str, look: Look, *, rate: float, seconds: float) -> Seen:
    """Place orders at this rate and wait until all are confirmed."""
    seen, client = Seen(), Client(url)
    posts = itertools.islice(requests(url, keyed=False), round(seconds * rate))
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as group:
        group.create_task(_watch(seen, look))
        began = time.perf_counter()
        placing = []
        for number, post in enumerate(posts):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            placing.append(group.create_task(_place(client, seen, post, due)))
        await asyncio.gather(*placing)
        seen.all_sent = True
    return seen


async def _place(client: Client, seen: Seen, post: bytes, due: float) -> None:
    status, body = await client.post(post)
    found = _ID.search(body)
    if status == 503:
        # More than it can take: said in the table, since the times are of the others alone.
        seen.refused += 1
        return
    if status != 201 or found is None:
        raise RuntimeError(f"an order was answered {status}: {body[:300]!r}")
    seen.posted.append((time.perf_counter() - due) * 1000)
    seen.open[found[1].decode()] = due


async def _watch(seen: Seen, look: Look) -> None:
    while seen.open or not seen.all_sent:
        if seen.open:
            done = await look(min(seen.open))
            now = time.perf_counter()
            for order_id in done:
                due = seen.open.pop(order_id, None)
                if due is not None:
                    seen.confirmed.append((now - due) * 1000)
        await asyncio.sleep(LOOK_S)


def _in_sqlite(path: Path) -> Look:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    async def look(first: str) -> list[str]:
        return [order_id for (order_id,) in connection.execute(_SQL + "?", (first,))]

    return look


async def _in_postgresql(url: str) -> Look:
    connection = await asyncpg.connect(url)
    statement = await connection.prepare(_SQL + "$1")

    async def look(first: str) -> list[str]:
        return [row[0] for row in await statement.fetch(first)]

    return look


def _quantiles(times: list[float]) -> Iterator[float]:
    ordered = sorted(times)
    for share in (0.5, 0.99):
        yield ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--database", required=True, help="a PostgreSQL URL or an SQLite file")
    asked = parser.parse_args()
    if "://" in asked.database:
        look = await _in_postgresql(asked.database)
    else:
        look = _in_sqlite(Path(asked.database))
    seen = await run(asked.url, look, rate=asked.rate, seconds=asked.seconds)
    posted, confirmed = list(_quantiles(seen.posted)), list(_quantiles(seen.confirmed))
    counts = {"orders": len(seen.confirmed), "refused": seen.refused}
    print(json.dumps(counts | {"posted": posted, "confirmed": confirmed}))


if __name__ == "__main__":
    uvloop.run(main())
