"""The operators' REST API, in front of each database, with a subscriber that gives events up."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select, update

from app.bus import scripts
from app.bus.delivery import park
from app.bus.due import DueDeliveries
from app.bus.stream import Stream
from app.bus.tables import delivery, outbox
from app.db import Database
from app.main import SUBSCRIBERS
from tests.bus.given_up import LOUD, Ears, dead, dump
from tests.bus.sample import Rang, delivery_rows, handled_count, relay_all, ring, subscribed
from tests.contracts.told import told
from tests.web.sample import Process, problem_of, settings, whole

NOBODY = UUID("01890000-0000-7000-8000-000000000000")


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def process(database: Database, ears: Ears) -> Process:
    """Stand in for a process whose one subscriber is ears; no loop runs."""
    return Process(settings=settings(), database=database, subscribers=[ears.subscriber])


@pytest.fixture
async def client(process: Process) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect to the whole application."""
    transport = httpx2.ASGITransport(app=whole(process))
    async with httpx2.AsyncClient(
        transport=transport,
        base_url="http://localhost/v1/ops",
        event_hooks={"response": [told]},
    ) as opened:
        yield opened


def loud(number: int) -> list[Rang]:
    return [Rang(bell="a", volume=LOUD) for _ in range(number)]


async def test_dead_letters_are_listed_grouped_and_shown(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    ids = await dead(database, ears, *loud(3))

    first = (await client.get("/dead-letters?limit=2")).json()
    rest = (await client.get(f"/dead-letters?limit=2&cursor={first['next_cursor']}")).json()
    groups = (await client.get("/dead-letters/groups?subscriber=ears")).json()
    none = (await client.get("/dead-letters?error_type=ValueError")).json()
    shown = (await client.get(f"/dead-letters/ears/{ids[0]}")).json()

    listed = first["items"] + rest["items"]
    assert [one["event_id"] for one in listed] == [str(id_) for id_ in sorted(ids, reverse=True)]
    assert none == {"items": [], "next_cursor": None}
    [group] = groups["items"]
    assert (group["type"], group["error_type"], group["count"]) == (Rang.type, "PermanentError", 3)
    assert shown | listed[-1] == shown
    assert (shown["state"], shown["error"], shown["edited"]) == ("dead", "too loud: 11", False)
    assert shown["envelope"]["data"] == {"bell": "a", "volume": LOUD}
    assert shown["changes"] == []


async def test_one_is_redriven_after_a_dry_run_with_mended_data(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    path = f"/dead-letters/ears/{event_id}/redrive"
    mended = {"data": {"bell": "a", "volume": 3}}

    unfit = await client.post(path, json={"data": {"bell": "a", "volume": "x"}})
    failing = (await client.post(path, json={"dry_run": True})).json()
    dry = (await client.post(path, json={"dry_run": True, **mended})).json()
    again = (await client.post(path)).json()
    done = (await client.post(path, json=mended)).json()
    gone = await client.post(path)

    assert problem_of(unfit)["errors"][0]["pointer"] == "/data/volume"
    assert (failing["outcome"], failing["error"]) == ("failed", "too loud: 11")
    assert dry["outcome"] == "handled"
    assert [event["data"] for event in dry["events"]] == [{"bell": "a"}]
    assert [one["table"] for one in dry["tables"]] == ["inbox", "outbox"]
    assert (again["outcome"], again["error_type"]) == ("dead", "PermanentError")
    assert (done["outcome"], done["ran"]) == ("handled", True)
    assert done["action"]["detail"]["changes"] == [{"pointer": "/volume", "old": 11, "new": 3}]
    assert (gone.status_code, problem_of(gone)["code"]) == (404, "not_found")
    assert await handled_count(database, "effects") == 1


@pytest.mark.parametrize(("text", "status"), [("\ud800", 422), ("a\x00b", 200)])
async def test_text_no_database_could_keep_is_kept_or_refused(
    client: httpx2.AsyncClient, database: Database, ears: Ears, text: str, status: int
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    data = {"bell": "a", "volume": LOUD, "more": text}

    answer = await client.post(
        f"/dead-letters/ears/{event_id}/redrive",
        content=json.dumps({"data": data}),
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == status


async def test_many_are_redriven_once_per_key_and_counted_down(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    await dead(database, ears, *loud(3))
    ears.cured = True
    key = {"Idempotency-Key": "k-1"}

    counted = await client.post("/dead-letters/redrive", json={"dry_run": True})
    started = await client.post("/dead-letters/redrive", json={"subscriber": "ears"}, headers=key)
    replayed = await client.post("/dead-letters/redrive", json={"subscriber": "ears"}, headers=key)
    before = (await client.get(f"/actions/{started.json()['id']}")).json()
    await DueDeliveries(database, ears.subscriber).run_page()
    after = (await client.get(started.headers["location"].removeprefix("/v1/ops"))).json()

    assert (counted.status_code, counted.json()) == (200, {"dry_run": True, "total": 3})
    assert (started.status_code, started.json()["total"]) == (202, 3)
    assert replayed.headers["idempotency-replayed"] == "true"
    assert (before["due"], before["done"]) == (3, 0)
    assert (after["due"], after["dead"], after["discarded"], after["done"]) == (0, 0, 0, 3)
    assert (after["who"], after["detail"]["filter"]["subscriber"]) == ("open", "ears")


async def test_one_is_discarded_with_a_reason(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    path = f"/dead-letters/ears/{event_id}/discard"

    blank = await client.post(path, json={"reason": " "})
    done = await client.post(path, json={"reason": "the bell was sold"})
    twice = await client.post(path, json={"reason": "the bell was sold"})
    listed = (await client.get("/dead-letters?state=discarded")).json()["items"]
    actions = (await client.get("/actions")).json()["items"]

    assert blank.status_code == 422
    assert done.json()["detail"] == {"reason": "the bell was sold"}
    assert (twice.status_code, problem_of(twice)["code"]) == (409, "not_dead")
    assert [one["action_id"] for one in listed] == [done.json()["id"]]
    assert actions == [done.json()]


async def test_history_is_replayed_and_filled(
    client: httpx2.AsyncClient, database: Database, ears: Ears, stream: Stream
) -> None:
    await ring(database, Rang(bell="early"))
    await relay_all(database, stream)
    await subscribed(database, ears.subscriber)
    due = DueDeliveries(database, ears.subscriber)

    looked = await client.post("/fill", json={"subscriber": "ears", "dry_run": True})
    assert (looked.status_code, looked.json()["total"]) == (200, 1)
    assert await delivery_rows(database) == []
    filled = await client.post("/fill", json={"subscriber": "ears"})
    assert {row.reason for row in await delivery_rows(database)} == {"fill"}
    await due.run_page()
    body = {"subscriber": "ears", "from_time": "2020-01-01T00:00:00Z"}
    looked = await client.post("/replay", json={**body, "dry_run": True})
    replayed = await client.post("/replay", json=body)

    assert (filled.status_code, filled.json()["total"]) == (202, 1)
    assert (replayed.status_code, replayed.json()["total"]) == (202, 1)
    assert {row.reason for row in await delivery_rows(database)} == {"replay"}
    assert (looked.status_code, looked.json()["total"]) == (200, 1)
    fills = (await client.get("/actions?action=fill&subscriber=ears&who=open")).json()["items"]
    assert [one["id"] for one in fills] == [filled.json()["id"]]
    assert (await client.get("/actions?who=nobody")).json()["items"] == []


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (("GET", f"/dead-letters/ears/{NOBODY}", None), 404, "not_found"),
        (("GET", "/dead-letters/ears/nonsense", None), 422, "validation_failed"),
        (("GET", "/dead-letters?cursor=nonsense", None), 422, "invalid_cursor"),
        (("GET", "/dead-letters?since=yesterday", None), 422, "validation_failed"),
        (("GET", "/dead-letters?since=0001-01-01T00:00:00Z", None), 422, "validation_failed"),
        (("GET", "/dead-letters?colour=red", None), 422, "unknown_parameter"),
        (("GET", f"/actions/{NOBODY}", None), 404, "not_found"),
        (("GET", "/actions?action=dance", None), 422, "validation_failed"),
        (("POST", f"/dead-letters/ears/{NOBODY}/redrive", None), 404, "not_found"),
        (("POST", f"/dead-letters/ears/{NOBODY}/discard", {"reason": "x"}), 404, "not_found"),
        (("POST", "/dead-letters/redrive", {"state": "due"}), 422, "validation_failed"),
        (("POST", "/fill", {"subscriber": "nobody"}), 404, "not_found"),
        (("POST", "/replay", {"subscriber": "nobody", "from_log_position": 0}), 404, "not_found"),
        (("POST", "/replay", {"subscriber": "ears"}), 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    client: httpx2.AsyncClient,
    asked: tuple[str, str, dict[str, Any] | None],
    status: int,
    code: str,
) -> None:
    method, path, body = asked

    refused = await client.request(method, path, json=body)

    assert (refused.status_code, problem_of(refused)["code"]) == (status, code)


async def test_what_is_due_is_left_alone_and_unknown_handlers_are_said_so(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    ears.subscriber._handlers.clear()
    path = f"/dead-letters/ears/{event_id}/redrive"

    dry = await client.post(path, json={"dry_run": True})
    left = (await client.post(path)).json()
    busy = await client.post(path)

    assert (dry.status_code, problem_of(dry)["code"]) == (409, "no_handler")
    assert (left["ran"], left["outcome"]) == (False, "due")
    assert (busy.status_code, problem_of(busy)["code"]) == (409, "not_dead")


async def test_a_forged_cursor_of_the_right_shape_is_refused(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    await dead(database, ears, *loud(2))
    groups = await client.get("/dead-letters/groups?limit=1")
    assert groups.json()["next_cursor"] is None
    actions = await client.get("/actions?limit=1&cursor=WyJ4Il0")

    assert (actions.status_code, problem_of(actions)["code"]) == (422, "invalid_cursor")


async def test_a_dry_run_of_a_module_tells_its_events_and_tables(database: Database) -> None:
    process = Process(settings=settings(), database=database, subscribers=SUBSCRIBERS)
    await subscribed(database, *SUBSCRIBERS)
    transport = httpx2.ASGITransport(app=whole(process))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        price = {"amount": "1", "currency": "GBP"}
        await client.put("/v1/products/MUG", json={"title": "Mug", "unit_price": price})
        stock = {"lines": [{"sku": "MUG", "quantity": 5}]}
        await client.post("/v1/inventory/receipts", json=stock)
        line = {"sku": "MUG", "quantity": 2}
        await client.post("/v1/orders", json={"customer_id": "c-1", "lines": [line]})
        async with database.write() as session:
            query = select(outbox.c.event_id).where(outbox.c.context == "orders")
            event_id = (await session.scalars(query)).one()
            await park(session, "inventory", [event_id])
            await session.execute(update(delivery).values(state="dead"))
        before = await dump(database)
        path = f"/v1/ops/dead-letters/inventory/{event_id}/redrive"

        told = (await client.post(path, json={"dry_run": True})).json()

    assert told["outcome"] == "handled"
    assert [event["type"] for event in told["events"]] == ["inventory.stock_reserved.v1"]
    changed = {one.pop("table"): one for one in told["tables"]}
    assert changed["stock_levels"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert changed["stock_movements"] == {"inserted": 1, "updated": 0, "deleted": 0}
    assert await dump(database) == before


async def test_a_subscriber_is_unregistered(
    client: httpx2.AsyncClient, process: Process, database: Database, ears: Ears, stream: Stream
) -> None:
    await dead(database, ears, *loud(2))
    await stream.ensure_groups(["bells"], "ears")
    answers = [await client.delete("/subscribers/nose")]
    process.stream = Stream("unix:///nowhere/s")
    answers.append(await client.delete("/subscribers/ears"))
    process.stream = stream
    answers.append(await client.delete("/subscribers/ears"))
    await scripts.show_life(stream, "bells", "ears", "c1")
    answers.append(await client.delete("/subscribers/ears?discard=true"))
    await stream._redis.xgroup_delconsumer(stream.key("bells"), "ears", "c1")

    done = await client.delete("/subscribers/ears?discard=true")

    assert [(answer.status_code, problem_of(answer)["code"]) for answer in answers] == [
        (404, "not_found"),
        (503, "unavailable"),
        (409, "dead_letters_left"),
        (409, "subscriber_alive"),
    ]
    assert (done.status_code, done.json()["action"], done.json()["total"]) == (200, "unregister", 2)
    assert (await client.get("/actions")).json()["items"] == [done.json()]
    assert (await client.get("/dead-letters")).json()["items"] == []
