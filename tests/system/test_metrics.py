"""A scrape of a busy process shows every metric there is, with values that make sense."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from prometheus_client import Metric

from app import metrics as ours
from app.bus import metrics as bus
from app.main import chores
from app.runtime import open_runtime
from app.settings import load_settings
from tests.bus.sample import until
from tests.web.scrape import client_of, scraped, value


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the whole program, embedded, and give a client of it."""
    chosen = load_settings(data=data)
    async with (
        open_runtime(chosen, chores(chosen), lambda: None) as runtime,
        client_of(runtime) as client,
    ):
        yield client


async def _place(client: httpx2.AsyncClient, sku: str) -> None:
    product = {"title": sku, "unit_price": {"amount": "1.00", "currency": "GBP"}}
    stock = {"lines": [{"sku": sku, "quantity": 9}]}
    order = {"customer_id": "c-1", "lines": [{"sku": sku, "quantity": 1}]}
    (await client.put(f"/v1/products/{sku}", json=product)).raise_for_status()
    (await client.post("/v1/inventory/receipts", json=stock)).raise_for_status()
    placed = await client.post("/v1/orders", json=order, headers={"prefer": "wait=20"})
    assert placed.json()["status"] == "confirmed"


async def test_a_busy_process_shows_every_metric_of_the_catalogue(
    tmp_path: Path, sqlite_template: Path
) -> None:
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    shutil.copy(sqlite_template, data / "orderly.db")
    async with running(data) as client:
        before = await scraped(client)
        await _place(client, "MUG-OF-METRICS")
        await client.get("/v1/orders/ord_00000000000000000000000000000000")
        await client.get("/nowhere/at/all")

        async def handled() -> bool:
            return value(await scraped(client), _SETTLED[0], **_SETTLED[1]) is not None

        await until(handled)
        found = await scraped(client)
        raw = (await client.get("/metrics")).text

    for metric in (*bus.CATALOGUE, *ours.CATALOGUE):
        shown = found[metric.name]
        assert (shown.type, shown.documentation) == (metric.kind, metric.help)
        assert shown.samples, metric.name
        for sample in shown.samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)
            assert 0 <= sample.value < 1e6, sample
    _made_sense(before, found)
    assert "MUG-OF-METRICS" not in raw
    assert "ord_" not in raw
    assert "nowhere" not in raw


_SETTLED = (
    "orderly_handler_attempts_total",
    {"subscriber": "orders", "type": "inventory.stock_reserved.v1", "outcome": "handled"},
)


def _made_sense(before: dict[str, Metric], after: dict[str, Metric]) -> None:
    def grew(name: str, **labels: str) -> float:
        return (value(after, name, **labels) or 0) - (value(before, name, **labels) or 0)

    assert grew(_SETTLED[0], **_SETTLED[1]) == 1
    assert grew("orderly_relay_published_events_total", stream="inventory") == 1
    assert grew("orderly_critical_time_seconds_count", subscriber="orders") == 1
    assert 0 < grew("orderly_critical_time_seconds_sum", subscriber="orders") < 20
    assert grew("orderly_group_commit_batch_items_sum") == 1
    placed = {"method": "POST", "route": "/v1/orders"}
    assert grew("orderly_http_requests_total", **placed, status="201") == 1
    assert grew("orderly_http_request_duration_seconds_count", **placed) == 1
    missing = {"method": "GET", "route": "/v1/orders/{order_id}", "status": "404"}
    assert grew("orderly_http_requests_total", **missing) == 1
    stray = {"method": "GET", "route": "unmatched", "status": "404"}
    assert grew("orderly_http_requests_total", **stray) == 1
    assert value(after, "orderly_database_up") == value(after, "orderly_engine_up") == 1
    assert value(after, "orderly_stream_entries", stream="orders") in {0, 1, 2}  # it is trimmed
    assert value(after, "orderly_stream_cap_entries", stream="orders") == 100_000
    assert value(after, "orderly_loop_state", loop="relay", state="running") == 1
    assert value(after, "orderly_subscriber_dead_letters", subscriber="inventory") == 0
    kind = {"version": "0.1.0", "role": "all", "database": "sqlite"}
    assert value(after, "orderly_build_info", **kind) == 1
