"""The feed of events over REST, and the schemas of what travels in it."""

from typing import Any

import anyio
import httpx2
import pytest

from app.bus.event import Envelope
from app.bus.tables import log_head
from app.db import Database
from app.modules.orders.events import OrderExpired
from tests.bus.sample import Heard, Rang, ring
from tests.bus.test_history import publish_all
from tests.orders.rest import SQLITE
from tests.web.conftest import connected
from tests.web.sample import Process, problem_of, settings

# What the database has a part in is tested with `app.bus.history`.
pytestmark = SQLITE


@pytest.fixture
def process(database: Database) -> Process:
    return Process(settings=settings(), database=database)


async def rung(database: Database, *volumes: int) -> list[Rang]:
    """Publish a bell for each volume."""
    events = [Rang(bell="a", volume=volume) for volume in volumes]
    await ring(database, *events)
    await publish_all(database)
    return events


async def get(client: httpx2.AsyncClient, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - of a query
    response = await client.get("/v1/events", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def volumes(page: dict[str, Any]) -> list[int]:
    return [item["data"]["volume"] for item in page["items"]]


async def test_the_feed_is_read_page_by_page_and_goes_on_with_what_is_new(
    client: httpx2.AsyncClient, database: Database
) -> None:
    events = await rung(database, 1, 2, 3)

    first = await get(client, limit=2)
    second = await get(client, limit=2, after=first["next_cursor"])
    end = await get(client, after=second["next_cursor"])
    await rung(database, 4)
    more = await get(client, after=end["next_cursor"])

    assert [volumes(page) for page in (first, second, end, more)] == [[1, 2], [3], [], [4]]
    assert [page["has_more"] for page in (first, second, end, more)] == [True, False, False, False]
    assert Envelope.model_validate(first["items"][0]).open(Rang) == events[0]


async def test_types_filter_and_may_change_from_page_to_page(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await ring(database, Rang(bell="a", volume=1), Heard(bell="a"), Rang(bell="a", volume=2))
    await publish_all(database)

    rang = await get(client, types=Rang.type, limit=1)
    both = await get(client, types=[Rang.type, Heard.type], after=rang["next_cursor"])

    assert volumes(rang) == [1]
    assert [item["type"] for item in both["items"]] == [Heard.type, Rang.type]


async def test_latest_begins_with_what_is_yet_to_come(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await rung(database, 1)

    begun = await get(client, after="latest")
    await rung(database, 2)

    assert begun["items"] == []
    assert volumes(await get(client, after=begun["next_cursor"])) == [2]


async def test_a_reader_that_wants_to_wait_is_answered_when_there_is_something(
    client: httpx2.AsyncClient, database: Database, process: Process
) -> None:
    begun = await get(client, after="latest")
    answers: list[httpx2.Response] = []

    async def wait() -> None:
        answers.append(
            await client.get(
                "/v1/events",
                params={"after": begun["next_cursor"], "types": Rang.type},
                headers={"prefer": "wait=20"},
            )
        )

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(0.1)
        # Not of the type that is waited for.
        await ring(database, Heard(bell="a"))
        await publish_all(database)
        process.wake_up.committed()
        await anyio.sleep(0.1)
        assert not answers
        with anyio.fail_after(5):
            await rung(database, 7)
            process.wake_up.committed()
            while not answers:
                await anyio.sleep(0.01)

    assert volumes(answers[0].json()) == [7]
    assert answers[0].headers["preference-applied"] == "wait=20"
    assert answers[0].headers["cache-control"] == "no-store"


async def test_a_wait_in_vain_ends_in_an_empty_page(client: httpx2.AsyncClient) -> None:
    began = anyio.current_time()

    response = await client.get("/v1/events", headers={"prefer": "wait=1"})

    assert response.json()["items"] == []
    assert 0.9 < anyio.current_time() - began < 3


async def test_a_reader_that_was_too_slow_is_told(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await rung(database, 1, 2)
    page = await get(client, limit=1)
    async with database.write() as session:
        await session.execute(log_head.update().values(pruned_position=2))

    response = await client.get("/v1/events", params={"after": page["next_cursor"]})

    assert response.status_code == 410
    assert problem_of(response)["code"] == "cursor_too_old"
    assert (await get(client))["items"] == []


@pytest.mark.parametrize("after", ["x", "W10", "", "bGF0ZXN0"])
async def test_a_cursor_of_another_list_or_database_is_refused(
    client: httpx2.AsyncClient, database: Database, after: str
) -> None:
    await rung(database, 1)
    page = await get(client)
    async with database.write() as session:
        await session.execute(log_head.update().values(position=0))

    for cursor in (after, page["next_cursor"]):
        response = await client.get("/v1/events", params={"after": cursor})

        assert response.status_code == 422
        assert problem_of(response)["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "query", ["types=bells.bell_rnag.v1", "limit=1.0", "limit=0", "limit=201", "limit=%2B5", "a=1"]
)
async def test_a_query_that_does_not_fit_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/events?{query}")).status_code == 422


async def test_every_type_is_listed_with_the_schema_of_its_data(
    client: httpx2.AsyncClient,
) -> None:
    items = (await client.get("/v1/event-types")).json()["items"]

    # One of ours: other tests have events of their own, some of the same type.
    expired = next(item for item in items if item["type"] == OrderExpired.type)
    assert expired == {
        "type": "orders.order_expired.v1",
        "context": "orders",
        "subject": "order_id",
        "description": "Nobody confirmed the order in time, so what was held for it may go.",
        "json_schema": "/v1/event-types/orders.order_expired.v1",
        "subscribers": [],
        "older_versions": [],
        "example": expired["example"],
    }
    assert Envelope.model_validate(expired["example"]).open(OrderExpired).order_id
    schema = (await client.get(expired["json_schema"])).json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == expired["json_schema"]
    assert schema["properties"].keys() == {"order_id"}
    assert schema["required"] == ["order_id"]
    assert schema["x-subject"] == "order_id"


async def test_an_unknown_type_is_a_404(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/event-types/bells.bell_rnag.v1")

    assert response.status_code == 404
    assert problem_of(response)["code"] == "not_found"


async def test_the_feed_needs_its_scope(process: Process) -> None:
    process.settings = settings(api_key="0123456789abcdef")
    async with connected(process) as client:
        assert (await client.get("/v1/events")).status_code == 401
        assert (await client.get("/v1/event-types")).status_code == 401
