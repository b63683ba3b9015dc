"""Waiting for what comes of an order: `Prefer: wait=N`."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx2
import pytest

from app.db import Database
from app.modules.orders.events import Shortage
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.settle import Verdict, settle
from app.web import waiting
from tests.orders.rest import MUG, SQLITE, app_of, order_of, placed_at, process_of, put
from tests.orders.sample import answer, published, reserved

pytestmark = SQLITE


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the product that these tests order."""
    await put(client, "MUG", MUG)


async def post(
    client: httpx2.AsyncClient, prefer: str, reference: str | None = None, **headers: str
) -> httpx2.Response:
    """Place an order of two mugs and wait."""
    body = order_of(("MUG", 2), **({"reference": reference} if reference else {}))
    return await client.post("/v1/orders", json=body, headers={"Prefer": prefer, **headers})


async def decided(database: Database, *, number: int = 0) -> None:
    """Have inventory hold what the order of this number asks for, as soon as it is placed."""
    with anyio.fail_after(5):
        while len(await published(database)) <= number:
            await anyio.sleep(0.005)
    order_id = (await published(database))[number].subject
    await answer(database, reserved(order_id))


async def timed(work: Callable[[], Coroutine[Any, Any, httpx2.Response]]) -> tuple[float, Any]:
    began = anyio.current_time()
    response = await work()
    return anyio.current_time() - began, response


async def test_the_answer_shows_what_came_of_the_order(
    client: httpx2.AsyncClient, database: Database
) -> None:
    async with anyio.create_task_group() as others:
        others.start_soon(decided, database)
        took_s, made = await timed(lambda: post(client, "wait=10"))

    assert took_s < 3
    assert (made.status_code, made.json()["status"]) == (201, "confirmed")
    assert made.headers["location"] == f"/v1/orders/{made.json()['id']}"
    assert (made.headers["etag"], made.headers["preference-applied"]) == ('"2"', "wait=10")
    assert (await client.get(made.headers["location"])).json() == made.json()


async def test_a_rejection_is_what_came_of_it_as_well(
    client: httpx2.AsyncClient, database: Database
) -> None:
    async def reject() -> None:
        with anyio.fail_after(5):
            while not (events := await published(database)):
                await anyio.sleep(0.005)
        short = Shortage(sku="MUG", requested=2, available=1)
        async with database.write() as session:
            verdict = Verdict(order_id=events[0].subject, cause=events[0], shortages=(short,))
            await settle(session, [verdict])

    async with anyio.create_task_group() as others:
        others.start_soon(reject)
        made = await post(client, "wait=10")

    assert (made.status_code, made.json()["status"]) == (201, "rejected")
    assert made.json()["shortages"] == [{"sku": "MUG", "requested": 2, "available": 1}]


async def test_after_the_time_the_answer_is_as_it_stands(client: httpx2.AsyncClient) -> None:
    took_s, made = await timed(lambda: post(client, "wait=1"))

    assert 0.9 < took_s < 3
    assert (made.status_code, made.json()["status"]) == (201, "pending")
    assert (made.headers["etag"], made.headers["preference-applied"]) == ('"1"', "wait=1")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async", "respond-async"),
        ("wait=0", "wait=0"),
        ("respond-async, wait=0", "wait=0"),
        ("handling=strict", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait", None),
    ],
)
async def test_without_a_time_to_wait_the_answer_comes_at_once(
    client: httpx2.AsyncClient, prefer: str, applied: str | None
) -> None:
    took_s, made = await timed(lambda: post(client, prefer))

    assert took_s < 0.9
    assert made.json()["status"] == "pending"
    assert made.headers.get("preference-applied") == applied


async def test_a_repeat_waits_too_and_shows_the_order_as_it_stands(
    client: httpx2.AsyncClient, database: Database
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await post(client, "respond-async", **key)
    async with anyio.create_task_group() as others:
        others.start_soon(decided, database)
        waited = await post(client, "wait=10", **key)
    later = await post(client, "wait=10", **key)
    stored = await client.post("/v1/orders", json=order_of(("MUG", 2)), headers=key)

    assert first.json()["status"] == stored.json()["status"] == "pending"
    assert first.content == stored.content
    assert "preference-applied" not in stored.headers
    assert waited.json()["status"] == later.json()["status"] == "confirmed"
    for repeat in (waited, later, stored):
        assert repeat.status_code == 201
        assert repeat.headers["idempotency-replayed"] == "true"
        assert repeat.headers["location"] == first.headers["location"]
    assert waited.headers["etag"] == later.headers["etag"] == '"2"'
    assert len([one for one in await published(database) if "created" in one.type]) == 1


async def test_a_refused_order_is_not_waited_for(client: httpx2.AsyncClient) -> None:
    await post(client, "wait=0", reference="R-1")

    took_s, refused = await timed(lambda: post(client, "wait=10", reference="R-1"))

    assert took_s < 3
    assert refused.status_code == 409


async def test_a_read_waits_until_the_order_is_decided(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)
    path = f"/v1/orders/{order_id}"

    async with anyio.create_task_group() as others:
        others.start_soon(decided, database)
        found = await client.get(path, headers={"Prefer": "wait=10"})
    took_s, again = await timed(lambda: client.get(path, headers={"Prefer": "wait=10"}))

    assert (found.json()["status"], found.headers["preference-applied"]) == ("reserved", "wait=10")
    assert took_s < 3
    assert again.json() == found.json()


async def test_a_read_with_an_etag_waits_until_it_is_another_one(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.RESERVED)
    path = f"/v1/orders/{order_id}"
    headers = {"If-None-Match": '"2"', "Prefer": "wait=1"}

    took_s, same = await timed(lambda: client.get(path, headers=headers))
    async with anyio.create_task_group() as others:
        others.start_soon(client.post, f"{path}/confirm")
        changed = await client.get(path, headers=headers | {"Prefer": "wait=10"})

    assert 0.9 < took_s < 3
    assert (same.status_code, same.headers["preference-applied"]) == (304, "wait=1")
    assert (changed.status_code, changed.json()["status"]) == (200, "confirmed")


def waiters(client: httpx2.AsyncClient) -> int:
    """Return how many requests wait for an order in this process."""
    watches = getattr(app_of(client).state, "watches", {})
    return sum(watch.waiting for watch in watches.values())


async def test_whoever_waits_holds_no_connection_and_one_looks_for_all(
    client: httpx2.AsyncClient, database: Database
) -> None:
    ids = [await placed_at(client, database) for _ in range(20)]
    answers: list[httpx2.Response] = []
    reads = 0

    async def wait(order_id: str) -> None:
        answers.append(await client.get(f"/v1/orders/{order_id}", headers={"Prefer": "wait=10"}))

    async with anyio.create_task_group() as others:
        for order_id in ids:
            others.start_soon(wait, order_id)
        with anyio.fail_after(20):
            while waiters(client) < len(ids):
                await anyio.sleep(0.01)
        held = []
        for _ in range(20):
            held.append(database.reader.pool.checkedout())  # type: ignore[attr-defined]  # of a QueuePool
            await anyio.sleep(0.01)
        reads = max(held)
        assert not answers
        for order_id in ids:
            await answer(database, reserved(order_id))

    assert reads <= 1
    assert 0 in held
    assert [one.json()["status"] for one in answers] == ["reserved"] * 20


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/{id}", "/v1/events?after=latest"])
async def test_when_too_many_wait_the_next_are_answered_at_once(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    order_id = await placed_at(client, database)
    monkeypatch.setattr(waiting, "MOST_WAITING", 2)

    def ask(prefer: str) -> Coroutine[Any, Any, httpx2.Response]:
        if path == "/v1/orders":
            return post(client, prefer)
        return client.get(path.format(id=order_id), headers={"Prefer": prefer})

    async with anyio.create_task_group() as others:
        others.start_soon(ask, "wait=10")
        others.start_soon(client.get, f"/v1/orders/{order_id}/events")
        with anyio.fail_after(5):
            while waiters(client) < 2:
                await anyio.sleep(0.005)
        took_s, refused = await timed(lambda: ask("wait=10"))
        _, said = await timed(lambda: ask("respond-async, wait=10"))
        none = await ask("wait=0")
        others.cancel_scope.cancel()
    _, waited = await timed(lambda: ask("wait=1"))

    assert took_s < 3
    assert refused.is_success
    assert "preference-applied" not in refused.headers
    assert said.headers["preference-applied"] == "respond-async"
    assert none.headers["preference-applied"] == "wait=0"
    assert waited.headers["preference-applied"] == "wait=1"


async def test_a_stop_ends_the_waiting(client: httpx2.AsyncClient) -> None:
    async def stop() -> None:
        await anyio.sleep(0.1)
        process_of(client).draining = True

    async with anyio.create_task_group() as others:
        others.start_soon(stop)
        took_s, made = await timed(lambda: post(client, "wait=20"))

    assert took_s < 3
    assert (made.status_code, made.json()["status"]) == (201, "pending")
