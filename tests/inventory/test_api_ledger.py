"""The ledger over REST: filtered, and whole as CSV."""

import asyncio
import csv
import io
import tracemalloc
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import QueuePool
from starlette.types import Message

from app.db import Database
from app.modules.inventory.api.ledger import ROWS_AT_ONCE
from app.modules.inventory.models.drafts import ReceiptDraft
from app.modules.inventory.service.receive import receive
from tests.inventory.sample import (
    auto,
    cancelled,
    confirmed,
    decide,
    locate,
    request,
    shipment,
    stock,
    stock_at,
)
from tests.orders.rest import app_of

on_sqlite = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
two_databases = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)

MOVEMENTS = "/v1/inventory/movements"
CSV = {"Accept": "text/csv"}


@two_databases
async def test_the_ledger_is_filtered(client: httpx2.AsyncClient, database: Database) -> None:
    await locate(database, leeds=1)
    await stock(database, MUG=3, CUP=2)
    await stock_at(database, "leeds", MUG=4)
    await decide(database, request("o-1", MUG=1, CUP=1), auto("o-2", CUP=1))
    await decide(database, confirmed("o-1"), cancelled("o-2"), shipment("o-1", "f-1", MUG=1))

    async def found(query: str) -> list[tuple[str, str]]:
        items = (await client.get(f"{MOVEMENTS}?{query}")).json()["items"]
        return [(one["kind"], one["sku"]) for one in reversed(items)]

    assert await found("location=leeds") == [("receive", "MUG")]
    assert await found("order_id=o-2") == [("reserve", "CUP"), ("release", "CUP")]
    assert await found("kind=commit&kind=issue&sku=MUG") == [("commit", "MUG"), ("issue", "MUG")]
    [issued] = (await client.get(f"{MOVEMENTS}?kind=issue")).json()["items"]
    changes = [issued[f"{name}_change"] for name in ("on_hand", "reserved", "committed")]
    after = [issued[f"{name}_after"] for name in ("on_hand", "reserved", "committed")]
    assert (changes, after) == ([-1, -1, -1], [2, 0, 0])
    assert (issued["order_id"], issued["fulfillment_id"]) == ("o-1", "f-1")
    assert issued["event_id"] is not None
    page = (await client.get(f"{MOVEMENTS}?kind=receive&limit=1")).json()
    stray = await client.get(f"{MOVEMENTS}?kind=reserve&cursor={page['next_cursor']}")
    assert (stray.status_code, stray.json()["code"]) == (422, "invalid_cursor")
    wrong = await client.get(f"{MOVEMENTS}?kind=theft")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/kind/0")


@two_databases
async def test_csv_holds_what_json_holds(client: httpx2.AsyncClient, database: Database) -> None:
    await stock(database, **{"MUG": 3, "=1+1": 1, "@SUM(A1)": 1, 'a,"b"': 1})
    await decide(database, auto("o-1", **{"MUG": 2, "=1+1": 1}))
    await decide(database, shipment("o-1", "f-1", MUG=2))

    page = (await client.get(f"{MOVEMENTS}?limit=200")).json()["items"]
    whole = await client.get(MOVEMENTS, headers=CSV)
    some = await client.get(f"{MOVEMENTS}?sku=%3D1%2B1&kind=reserve", headers=CSV)
    none = await client.get(f"{MOVEMENTS}?sku=NOPE", headers=CSV)

    assert whole.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert whole.headers["content-disposition"] == 'attachment; filename="movements.csv"'
    assert whole.headers["vary"] == "Accept"
    rows = list(csv.DictReader(io.StringIO(whole.text, newline="")))
    assert rows == [in_cells(one) for one in page]
    assert {one["sku"] for one in rows} == {"MUG", "'=1+1", "'@SUM(A1)", 'a,"b"'}
    # Numbers stay numbers: what left the house is less than zero.
    assert [one["on_hand_change"] for one in rows if one["kind"] == "issue"] == ["-2"]
    assert [one["sku"] for one in csv.DictReader(io.StringIO(some.text))] == ["'=1+1"]
    assert none.text == ",".join(page[0]) + "\r\n"


def in_cells(item: dict[str, Any]) -> dict[str, str]:
    """Return what the CSV shall show of an item."""
    cells = {name: "" if value is None else str(value) for name, value in item.items()}
    return cells | {"sku": f"'{item['sku']}" if item["sku"][0] in "=@" else item["sku"]}


@on_sqlite
async def test_a_csv_has_no_pages(client: httpx2.AsyncClient) -> None:
    refused = await client.get(f"{MOVEMENTS}?limit=10", headers=CSV)
    page = await client.get(f"{MOVEMENTS}?limit=10", headers={"Accept": "text/csv;q=0.5, */*"})

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/limit"]
    assert page.json() == {"items": [], "next_cursor": None}
    assert page.headers["vary"] == "Accept"


@pytest.fixture
async def ten_thousand(database: Database) -> None:
    """Book ten thousand movements, the first two thousand of them at one location."""
    await locate(database, leeds=1)
    units = [(f"S-{number:04}", 1) for number in range(1000)]
    for location, times in (("leeds", 2), ("default", 8)):
        drafts = [ReceiptDraft(lines=units, location=location) for _ in range(times)]
        async with database.write() as session:
            await receive(session, drafts)


@on_sqlite
@pytest.mark.usefixtures("ten_thousand")
async def test_ten_thousand_rows_take_the_memory_of_a_few(
    client: httpx2.AsyncClient, database: Database
) -> None:
    few = await streamed(client, database, "location=leeds")
    whole = await streamed(client, database)

    assert (few.rows, whole.rows) == (2000, 10_000)
    assert whole.most_bytes < 1.3 * few.most_bytes


@on_sqlite
@pytest.mark.usefixtures("ten_thousand")
async def test_nothing_is_read_for_who_is_not_there(
    client: httpx2.AsyncClient, database: Database
) -> None:
    tasks = asyncio.all_tasks()

    left = await streamed(client, database, leaves=True)
    head = await streamed(client, database, method="HEAD")

    assert ROWS_AT_ONCE <= left.rows <= 2 * ROWS_AT_ONCE
    assert head.parts <= 2
    with anyio.fail_after(5):
        while asyncio.all_tasks() - tasks:
            await anyio.sleep(0.01)


@dataclass
class Sent:
    """What was sent of a CSV, and the most memory it took."""

    rows: int = 0
    parts: int = 0
    most_bytes: int = 0


async def streamed(
    client: httpx2.AsyncClient,
    database: Database,
    query: str = "",
    *,
    method: str = "GET",
    leaves: bool = False,
) -> Sent:
    """Read a CSV, in a client that may leave once it has the first rows."""
    pool = database.reader.pool
    assert isinstance(pool, QueuePool)
    sent = Sent()
    gone = anyio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.parts += 1
            # The first part is the line of names.
            sent.rows += message["body"].count(b"\r\n") if sent.parts > 1 else 0
        # Nothing is held while the client takes its time.
        assert pool.checkedout() == 0
        if leaves and sent.rows:
            gone.set()

    async def receive_() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": MOVEMENTS,
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:8000"), (b"accept", b"text/csv")],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
    }
    tracemalloc.start()
    try:
        await app_of(client)(scope, receive_, send)
        sent.most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return sent
