"""Following an order: server-sent events that resume, and that end when there is nothing more."""

import json

import anyio
import httpx2
import pytest

from app.db import Database
from app.modules.orders.models.life import OrderStatus
from app.web import sse
from tests.orders.rest import MUG, SQLITE, app_of, following, placed_at, process_of, put
from tests.orders.sample import answer, reserved

pytestmark = SQLITE


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the product that these tests order."""
    await put(client, "MUG", MUG)


def events_of(text: str) -> list[tuple[str, str]]:
    """Return ids and names of the events of a stream."""
    parts = [part.splitlines() for part in text.split("\n\n") if part.startswith("id: ")]
    return [(id_.removeprefix("id: "), name.removeprefix("event: ")) for id_, name, _ in parts]


async def test_a_stream_tells_what_happens_as_it_does(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)

    async with following(app_of(client), order_id) as stream:
        assert await stream.part() == "retry: 1000\n\n"
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert await stream.event() == ("1", "place")
        await answer(database, reserved(order_id))
        assert await stream.event() == ("2", "reserve")
        await client.post(f"/v1/orders/{order_id}/confirm")
        assert await stream.event() == ("3", "confirm")
        assert not stream.ended.is_set()
        await client.post(f"/v1/orders/{order_id}/cancel")
        assert await stream.event() == ("4", "cancel")
        with anyio.fail_after(5):
            await stream.ended.wait()
    timeline = (await client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    text = (await client.get(f"/v1/orders/{order_id}/events")).text
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert told == timeline


async def test_a_stream_goes_on_after_the_last_event_received(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.CONFIRMED)

    async with following(app_of(client), order_id, {"last-event-id": "2"}) as stream:
        assert await stream.event() == ("3", "confirm")
    # One that came from elsewhere is not waited for without end.
    async with following(app_of(client), order_id, {"last-event-id": "999"}) as stream:
        assert await stream.part() == "retry: 1000\n\n"
        await client.post(f"/v1/orders/{order_id}/cancel")
        assert await stream.event() == ("4", "cancel")


async def test_an_order_that_is_over_is_told_and_not_followed(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)
    await client.post(f"/v1/orders/{order_id}/cancel")
    path = f"/v1/orders/{order_id}/events"

    whole = await client.get(path)
    rest = await client.get(path, headers={"Last-Event-ID": "1"})
    nothing = await client.get(path, headers={"Last-Event-ID": "2"})

    assert events_of(whole.text) == [("1", "place"), ("2", "cancel")]
    assert events_of(rest.text) == [("2", "cancel")]
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_what_cannot_be_followed_is_refused(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)
    path = f"/v1/orders/{order_id}/events"

    missing = await client.get("/v1/orders/ord_0/events")
    odd = [await client.get(path, headers={"Last-Event-ID": id_}) for id_ in ("x", "-1", "1.0")]

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert [one.status_code for one in odd] == [422] * 3


async def test_a_quiet_stream_shows_that_it_is_alive(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    order_id = await placed_at(client, database)

    async with following(app_of(client), order_id, {"last-event-id": "1"}) as stream:
        assert [await stream.part() for _ in range(3)] == ["retry: 1000\n\n"] + [sse.HEARTBEAT] * 2


async def test_a_stream_ends_to_be_asked_for_anew(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(sse, "LONGEST_S", 0.1)
    order_id = await placed_at(client, database)

    with anyio.fail_after(5):
        text = (await client.get(f"/v1/orders/{order_id}/events")).text

    assert events_of(text) == [("1", "place")]


async def test_a_stop_ends_every_stream(client: httpx2.AsyncClient, database: Database) -> None:
    ids = [await placed_at(client, database) for _ in range(2)]

    async with (
        following(app_of(client), ids[0]) as one,
        following(app_of(client), ids[1]) as other,
    ):
        assert await one.event() == await other.event() == ("1", "place")
        process_of(client).draining = True
        with anyio.fail_after(2):
            await one.ended.wait()
            await other.ended.wait()


async def test_there_are_only_so_many_streams(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MOST_STREAMS", 1)
    order_id = await placed_at(client, database)

    for _ in range(2):
        async with following(app_of(client), order_id) as stream:
            assert await stream.event() == ("1", "place")
            refused = await client.get(f"/v1/orders/{order_id}/events")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert refused.headers["retry-after"] == "5"


async def test_a_customer_cannot_take_the_streams_of_everybody_else(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MOST_OF_A_CUSTOMER", 1)
    order_id = await placed_at(client, database)
    secrets = []
    for customer_id in (None, "c-1", "c-1"):
        asked = {"name": "a", "customer_id": customer_id, "scopes": ["orders:read"]}
        if customer_id is None:
            asked["scopes"] = ["orders:read", "keys"]
        made = await client.post("/v1/api-keys", json=asked)
        secrets.append({"authorization": f"Bearer {made.json()['secret']}"})
        client.headers.update(secrets[0])
    shop, one, other = secrets
    path = f"/v1/orders/{order_id}/events"

    for _ in range(2):
        async with following(app_of(client), order_id, one) as stream:
            assert await stream.event() == ("1", "place")
            refused = await client.get(path, headers=other)
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            async with following(app_of(client), order_id, shop) as another:
                assert await another.event() == ("1", "place")


async def test_a_stream_that_waits_holds_no_connection(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)
    held = []

    async with following(app_of(client), order_id) as stream:
        assert await stream.event() == ("1", "place")
        await anyio.sleep(0.3)
        for _ in range(20):
            held.append(database.reader.pool.checkedout())  # type: ignore[attr-defined]  # of a QueuePool
            await anyio.sleep(0.01)

    assert held.count(0) > len(held) / 2


async def test_nobody_waits_for_the_end_of_a_stream_without_a_body(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)

    with anyio.fail_after(2):
        head = await client.head(f"/v1/orders/{order_id}/events")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
