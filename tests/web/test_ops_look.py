"""What operators see over REST: the flow, streams, chains, the outbox; and pausing a subscriber."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from app.bus.stream import Stream
from app.bus.tables import delivery
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.sample import Rang, relay_all, ring, subscribed
from tests.contracts.told import told
from tests.web.sample import Process, problem_of, settings, whole

NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def process(database: Database, stream: Stream) -> Process:
    """Stand in for a process whose one subscriber is registered, and has its group."""
    ears = Ears().subscriber
    await subscribed(database, ears)
    await stream.ensure_groups(["bells"], "ears")
    return Process(settings=settings(), database=database, subscribers=[ears], stream=stream)


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


async def get(client: httpx2.AsyncClient, path: str) -> Any:  # noqa: ANN401 - JSON
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_event_is_seen_wherever_it_is(
    client: httpx2.AsyncClient, database: Database, stream: Stream
) -> None:
    rang = [Rang(bell="a") for _ in range(3)]
    await ring(database, *rang)
    first = await get(client, "/outbox?limit=2")
    rest = await get(client, f"/outbox?limit=2&cursor={first['next_cursor']}")
    unpublished = await get(client, "/flow")
    await relay_all(database, stream)
    async with stream.reader(["bells"], "ears", "c1", block_s=0.2) as reader:
        await reader.fresh(1)
    flow = await get(client, "/flow")
    [shown] = (await get(client, "/streams"))["items"]
    chain = await get(client, "/chains?subject=a")

    listed = [one["event_id"] for one in first["items"] + rest["items"]]
    assert listed == [str(event.id) for event in rang]
    assert first["items"][0]["age_s"] >= 0
    assert (unpublished["outbox"]["unpublished"], flow["outbox"]["unpublished"]) == (3, 0)
    [ears] = flow["subscribers"]
    assert (ears["name"], ears["lag"], ears["pending"], ears["paused"]) == ("ears", 2, 1, None)
    assert ears["oldest_age_s"] >= 0
    assert flow["streams"] == [
        {"context": "bells", "length": 3, "added_per_s": None, "cap": 100_000, "paused": False}
    ]
    assert flow["engine"]["kind"] in {"valkey", "redis"}
    assert (shown["context"], shown["length"], shown["key"]) == ("bells", 3, stream.key("bells"))
    [group] = shown["groups"]
    [consumer] = group["consumers"]
    [pending] = group["oldest_pending"]
    assert (group["subscriber"], group["lag"], group["entries_read"]) == ("ears", 2, 1)
    assert (consumer["name"], consumer["pending"]) == ("c1", 1)
    assert (pending["entry_id"], pending["deliveries"]) == (shown["first_id"], 1)
    assert [one["deliveries"][0]["state"] for one in chain["events"]] == ["waiting"] * 3
    correlation_id = chain["events"][0]["correlation_id"]
    assert len((await get(client, f"/chains/{correlation_id}"))["events"]) == 1


async def test_an_engine_that_is_away_leaves_the_rest_to_be_seen(
    client: httpx2.AsyncClient, process: Process
) -> None:
    process.stream = Stream("unix:///nowhere/s")

    flow = await get(client, "/flow")
    subscribers = await get(client, "/subscribers")
    streams = await client.get("/streams")
    unknown = await client.get("/chains/nope")

    assert (flow["engine"], flow["streams"], len(flow["warnings"])) == (None, [], 1)
    assert [one["lag"] for one in subscribers["items"]] == [0]
    assert (streams.status_code, problem_of(streams)["code"]) == (503, "unavailable")
    assert (unknown.status_code, problem_of(unknown)["code"]) == (404, "not_found")


async def test_a_subscriber_is_paused_for_a_reason_and_resumed_once(
    client: httpx2.AsyncClient, process: Process
) -> None:
    refused = [
        await client.post("/subscribers/nose/pause", json={"reason": "x"}),
        await client.post("/subscribers/ears/pause", json={"reason": " "}),
        await client.post("/subscribers/ears/resume"),
    ]
    key = {"Idempotency-Key": "p-1"}
    paused = await client.post("/subscribers/ears/pause", json={"reason": "hush"}, headers=key)
    here = process.pauses.why("ears")
    [ears] = (await get(client, "/subscribers"))["items"]
    resumed = await client.post("/subscribers/ears/resume")
    again = await client.post("/subscribers/ears/pause", json={"reason": "hush"}, headers=key)

    assert [(one.status_code, problem_of(one)["code"]) for one in refused] == [
        (404, "not_found"),
        (422, "validation_failed"),
        (409, "not_paused"),
    ]
    assert (paused.status_code, paused.json()["action"]) == (200, "pause")
    assert (here, ears["paused"]["reason"]) == ("paused by open: hush", "hush")
    assert (resumed.status_code, resumed.json()["action"]) == (200, "resume")
    assert again.headers["idempotency-replayed"] == "true"
    assert process.pauses.why("ears") is None
    assert [one["action"] for one in (await get(client, "/actions"))["items"]] == [
        "resume",
        "pause",
    ]


async def test_what_is_left_of_an_action_is_listed_with_its_errors(
    client: httpx2.AsyncClient, database: Database
) -> None:
    ids = await dead(database, Ears(), *(Rang(bell="a", volume=LOUD) for _ in range(3)))
    action = (await client.post("/dead-letters/redrive", json={})).json()
    async with database.write() as session:
        await session.execute(
            update(delivery).where(delivery.c.event_id == ids[0]).values(state="dead")
        )
    path = f"/actions/{action['id']}/deliveries"

    first = await get(client, f"{path}?limit=2")
    rest = await get(client, f"{path}?limit=2&cursor={first['next_cursor']}")
    letter = await get(client, f"/dead-letters/ears/{ids[0]}")
    none = await client.get(f"/actions/{NOBODY}/deliveries")
    forged = await client.get(f"{path}?cursor=WyJ4Il0")

    listed = [(one["event_id"], one["state"], one["error"]) for one in first["items"]]
    listed += [(one["event_id"], one["state"], one["error"]) for one in rest["items"]]
    assert listed == [
        (str(ids[2]), "due", "too loud: 11"),
        (str(ids[1]), "due", "too loud: 11"),
        (str(ids[0]), "dead", "too loud: 11"),
    ]
    assert letter["traceback"].startswith("Traceback")
    assert letter["traceback"].rstrip().endswith("too loud: 11")
    assert letter["original"] is None
    assert [one["error"] for one in letter["attempts_made"]] == ["too loud: 11"]
    assert (none.status_code, forged.status_code) == (404, 422)
