"""Faults on real processes: nothing acknowledged is lost, nothing happens twice."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing

import anyio
import httpx2
from sqlalchemy import text

from app import db
from tests.conftest import PostgresFixture
from tests.least_privilege import as_owner
from tests.system.conftest import Deployment
from tests.system.orderly import Orderly, Shop, run

ORDERS = 500


async def keep_ordering(shop: Shop, keys: list[str], wanted: int) -> None:
    """Place orders until there are so many, sending a failed one again with the same key."""
    while len(keys) < wanted:
        keys.append(key := f"order-{len(keys)}")
        while True:
            try:
                await shop.order({"MUG": 1}, key)
                break
            except httpx2.TransportError:
                await anyio.sleep(0.02)


async def test_kill_9_in_the_middle_of_500_orders_loses_and_doubles_nothing(
    deployment: Deployment,
) -> None:
    # A second's claim idle, so that a dead worker's entries are taken over within the test.
    first = deployment.start_all(claim_idle_s="1", batch="20")
    victim = deployment.processes[0]
    keys: list[str] = []
    port = int(first.url.rsplit(":", 1)[1])
    async with Shop(first.url) as shop:
        await shop.stock({"MUG": 10 * ORDERS})
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(keep_ordering, shop, keys, ORDERS)
            for reached in (ORDERS // 4, ORDERS // 2):
                while len(keys) < reached:
                    await anyio.sleep(0.005)
                await anyio.to_thread.run_sync(victim.kill)
                victim = await anyio.to_thread.run_sync(_again, deployment, port)
        await shop.all_settled()

        assert await shop.count() == len(keys) == len(set(shop.orders))
        assert await shop.count(status="confirmed") == len(keys)
        assert await shop.level("MUG") == (10 * ORDERS, len(keys), 9 * ORDERS)
    await deployment.verify()


def _again(deployment: Deployment, port: int) -> Orderly:
    """Start what was killed once more; the embedded process comes back on its port."""
    if deployment.embedded:
        return deployment.start("all", port=port, claim_idle_s="1", batch="20")
    return deployment.start("worker", claim_idle_s="1", batch="20")


async def test_orders_are_taken_while_redis_is_away_and_settled_when_it_is_back(
    servers: Deployment,
) -> None:
    assert servers.valkey is not None
    worker, api = servers.start("worker"), servers.start("api")
    keys: list[str] = []
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 100_000})
        await shop.settled((await shop.order({"MUG": 1}, "before"))["id"])
        await anyio.to_thread.run_sync(servers.valkey.kill)

        enough = anyio.Event()

        async def buy() -> None:
            while not enough.is_set():
                await keep_ordering(shop, keys, len(keys) + 1)
                await anyio.sleep(0.02)

        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(buy)
            with anyio.fail_after(20):
                while (ready := httpx2.get(f"{worker.url}/health/ready")).status_code == 200:
                    await anyio.sleep(0.1)
            assert ready.json()["stream"] == "waiting"
            # Long enough for a loop that does not wait between its tries to be seen in the log.
            await anyio.sleep(2)
            assert httpx2.get(f"{worker.url}/health/live").status_code == 200
            assert httpx2.get(f"{api.url}/health/ready").status_code == 200
            with anyio.fail_after(60):
                while len(keys) <= 50:
                    await anyio.sleep(0.02)
            enough.set()
        taken = len(keys)
        await anyio.to_thread.run_sync(servers.valkey.start)
        await shop.all_settled()

        assert await shop.count(status="confirmed") == taken + 1
    await servers.verify()
    for process in servers.processes:
        process.terminate()
    assert len(worker.log().splitlines()) < 5 * taken, "an error loop ran hot"


async def test_a_flushed_redis_gets_its_groups_back_without_a_restart(servers: Deployment) -> None:
    assert servers.valkey is not None
    worker, api = servers.start("worker", reconcile_after_s="1"), servers.start("api")
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 100})
        for number in range(3):
            await shop.settled((await shop.order({"MUG": 1}, f"k-{number}"))["id"])
            with servers.valkey.client() as redis:
                redis.flushall()
        with anyio.fail_after(20):
            while httpx2.get(f"{worker.url}/health/ready").json()["status"] != "ready":
                await anyio.sleep(0.05)
        troubles = worker.log().count("loop waits for what it needs")
        last = await shop.settled((await shop.order({"MUG": 1}))["id"])

        assert last["status"] == "confirmed"
        assert troubles < 20
    # Nobody waited for the subscribers of a module that was added.
    await servers.verify(within_s=20)


async def test_a_frozen_worker_stops_nobody_and_does_nothing_twice_when_it_thaws(
    servers: Deployment,
) -> None:
    # What a frozen worker has locked is free again when the database ends its transaction.
    hasty = {"lock_timeout_s": "1", "statement_timeout_s": "2", "handler_timeout_s": "3"}
    hasty |= {"idle_in_transaction_s": "4", "claim_idle_s": "0.5", "batch": "5"}
    frozen = servers.start("worker", port=0, **hasty)
    api = servers.start("api")
    keys: list[str] = []
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 1000})
        await keep_ordering(shop, keys, 40)
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            await keep_ordering(shop, keys, 80)
            await anyio.to_thread.run_sync(lambda: servers.start("worker", port=0, **hasty))
            await shop.all_settled()
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        await shop.all_settled()

        assert await shop.count(status="confirmed") == 80
        assert await shop.level("MUG") == (1000, 80, 920)
    await servers.verify()


async def test_a_loop_that_dies_of_a_bug_takes_the_process_down(deployment: Deployment) -> None:
    process = deployment.start("all")
    async with Shop(process.url) as shop:
        await shop.stock({"MUG": 10})
        _break_the_relay(deployment)
        await shop.http.put(
            "/v1/products/PEN",
            json={"title": "Pen", "unit_price": {"amount": "1.00", "currency": "GBP"}},
        )

    code = await anyio.to_thread.run_sync(process.wait)

    assert code == 1
    assert "loop died, so the process ends" in process.log()


def _break_the_relay(deployment: Deployment) -> None:
    """Take the outbox away under the relay: no such table is a bug, not a state to wait out."""
    if deployment.embedded:
        with closing(sqlite3.connect(deployment.directory / "var" / "orderly.db")) as database:
            database.execute("ALTER TABLE outbox RENAME TO gone")
        return

    async def rename() -> None:
        opened = db.postgresql(deployment.environment["DATABASE_URL"])
        async with as_owner(opened) as connection:
            await connection.execute(text("ALTER TABLE outbox RENAME TO gone"))
        await opened.close()

    with anyio.from_thread.start_blocking_portal() as portal:
        portal.call(rename)


async def test_a_database_that_restarts_under_load_costs_no_order(
    deploy: Callable[[str], Deployment], postgres: PostgresFixture
) -> None:
    servers = deploy("pg18")
    worker, api = servers.start("worker"), servers.start("api")
    keys: list[str] = []
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 10_000})

        async def buy() -> None:
            while len(keys) < 120:
                keys.append(key := f"order-{len(keys)}")
                while True:
                    try:
                        await shop.order({"MUG": 1}, key)
                        break
                    except httpx2.HTTPStatusError as refusal:
                        if refusal.response.status_code != 503:
                            raise
                        await anyio.sleep(0.05)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(buy)
            for reached in (30, 60):
                while len(keys) < reached:
                    await anyio.sleep(0.005)
                await anyio.to_thread.run_sync(postgres.restart, "pg18")
        await shop.all_settled()

        assert await shop.count(status="confirmed") == len(keys) == len(set(shop.orders))
    await servers.verify()
    assert "loop died" not in worker.log()


def test_two_databases_on_one_stream_are_refused(deploy: Callable[[str], Deployment]) -> None:
    ours, theirs = deploy("pg16"), deploy("pg18")
    ours.start("worker")
    environment = {**theirs.environment, "REDIS_URL": ours.environment["REDIS_URL"]}

    done = run(["serve", "--port", "0"], theirs.directory, environment)

    assert done.returncode == 1
    assert "carries another database's events" in done.stderr
    assert "Traceback" not in done.stderr
