"""The main job on a shop's export: every row accounted for, every order at its end, once."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from app.cli.load_follow import Decider
from app.cli.shop_export import read_export
from tests.ends import EndsWithUs
from tests.starter import ROOT, clean_environment
from tests.system.conftest import Deployment
from tests.system.orderly import Shop, run

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
    ("either", "options"),
    [("embedded", []), ("pg18", ["--manual"])],
    indirect=["either"],
)
async def test_a_shops_export_is_loaded_once_however_often_it_is_sent(
    either: Deployment, options: list[str]
) -> None:
    url = either.start_all().url

    first = await anyio.to_thread.run_sync(load, either, url, *options)
    second = await anyio.to_thread.run_sync(load, either, url, *options)

    async with Shop(url) as shop:
        orders = await shop.count()
        assert await shop.count(status="pending") == await shop.count(status="reserved") == 0
        confirmed = await shop.count(status="confirmed")
    assert first["counts"]["posted"] == second["counts"]["already_there"] == orders
    assert second["counts"]["posted"] == 0
    adjusted = first["adjusted"]["booked"]
    assert first["adjusted"]["posted"] == second["adjusted"]["already_there"] == adjusted == 5
    for report in (first, second):
        assert report["counts"]["confirmed"] == confirmed
        assert report["rows"] == {
            "read": 42,
            "in_orders": 25,
            "in_adjustments": 5,
            "skipped": 12,
            "refused": 0,
            "not_sent": 0,
        }
    assert (confirmed == orders) is (not options)
    await either.verify()


async def test_a_load_that_is_killed_and_starts_again_ends_as_if_it_had_not_been(
    deploy: Callable[[str], Deployment],
) -> None:
    embedded = deploy("embedded")
    url = embedded.start_all().url
    # One at a time, so that the orders come as the file has them and one end is the right one.
    options = ["--stock", "8", "--manual", "--concurrency", "1"]

    async with Shop(url) as shop:
        await kill_a_load(embedded.directory, url, options, shop)
        again = await anyio.to_thread.run_sync(load, embedded, url, *options)
        assert await shop.items("/v1/ops/sagas", older_than_s=0) == []

    ended = {
        order["invoice"]: status for status, orders in again["orders"].items() for order in orders
    }
    assert again["counts"]["already_there"] >= 5
    assert ended == right_end(units=8)
    assert {"confirmed", "cancelled", "rejected"} == set(ended.values())
    [refused] = again["adjustments"]["refused"]
    assert (refused["code"], refused["cause"]) == ("would_break_reservations", "written_off")
    rows = again["rows"]
    assert rows["read"] == rows["in_orders"] + rows["in_adjustments"] + rows["skipped"] + 1
    await embedded.verify()


async def kill_a_load(directory: Path, url: str, options: list[str], shop: Shop) -> None:
    """Start a load, and kill -9 it when it has posted five orders."""
    with start_a_load(directory, url, options) as killed:
        ends_with_us = EndsWithUs(killed.pid)
        with anyio.fail_after(30):
            while await shop.count() < 5:
                await anyio.sleep(0.005)
        ends_with_us.release()
        killed.kill()


def start_a_load(directory: Path, url: str, options: list[str]) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "app", "load-orders", str(EXAMPLE), "--url", url, *options]
    return subprocess.Popen(
        words,
        cwd=directory,
        env=clean_environment({}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def right_end(units: int) -> dict[str, str]:
    """Return how each order of the example must end with so many units of each SKU."""
    export = read_export(EXAMPLE)
    stock = Counter(dict.fromkeys(export.demand, units))
    for one in sorted(export.corrections, key=lambda one: one.delta < 0):
        stock[one.sku] += one.delta if stock[one.sku] + one.delta >= 0 else 0
    ended = {}
    for number, invoice in export.invoices.items():
        wanted = Counter[str]()
        for line in invoice.lines:
            wanted[line.sku] += line.quantity
        if any(stock[sku] < quantity for sku, quantity in wanted.items()):
            ended[number] = "rejected"
        elif Decider(0).cancels(number):
            ended[number] = "cancelled"
        else:
            ended[number] = "confirmed"
            stock -= wanted
    return ended


def test_the_example_is_small_and_dirty() -> None:
    lines = EXAMPLE.read_text().splitlines()

    assert 20 < len(lines) < 60
