"""The main job on a shop's export: every row accounted for, every order settled, once."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.system.conftest import Deployment
from tests.system.orderly import ROOT, Shop, run

EXAMPLE = ROOT / "examples" / "orders.csv"


def load(deployment: Deployment, url: str, *options: str) -> dict[str, Any]:
    """Run the command to its end and return its report."""
    report = deployment.directory / "report.json"
    words = ["load-orders", str(EXAMPLE), "--url", url, "--report", str(report), *options]
    done = run(words, deployment.directory)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.mark.parametrize(
    ("either", "stock"),
    [("embedded", None), ("embedded", 3), ("pg18", None)],
    indirect=["either"],
)
async def test_a_shops_export_is_loaded_once_however_often_it_is_sent(
    either: Deployment, stock: int | None
) -> None:
    url = either.start_all().url
    options = [] if stock is None else ["--stock", str(stock)]

    first = await anyio.to_thread.run_sync(load, either, url, *options)
    second = await anyio.to_thread.run_sync(load, either, url, *options)

    async with Shop(url) as shop:
        orders = await shop.count()
        assert await shop.count(status="pending") == 0
        confirmed = await shop.count(status="confirmed")
    assert first["counts"]["posted"] == second["counts"]["already_there"] == orders
    assert second["counts"]["posted"] == 0
    for report in (first, second):
        rows = report["rows"]
        assert report["counts"].get("confirmed", 0) == confirmed
        assert rows["read"] == rows["in_orders"] + rows["skipped"] + rows["refused"]
    assert (confirmed == orders) is (stock is None)
    await either.verify()


def test_the_example_is_small_and_dirty() -> None:
    lines = Path(EXAMPLE).read_text().splitlines()

    assert 20 < len(lines) < 60
