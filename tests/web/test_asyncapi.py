"""The events as a document and as a page: complete, and from this host alone."""

import re
from typing import Any

import httpx2
import pytest

from app import main
from app.bus.event import Event
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.db import Database
from app.modules.orders.events import OrderCreated
from app.settings import VERSION
from tests.bus.sample import Effects, Rang
from tests.web.sample import Process, settings, whole


@pytest.fixture
def process(sqlite: Database) -> Process:
    """Stand in for a process that has another prefix than the default."""
    return Process(
        settings=settings(),
        database=sqlite,
        subscribers=main.SUBSCRIBERS,
        stream=Stream("redis://nowhere", prefix="shop"),
    )


@pytest.fixture
def client(process: Process) -> httpx2.AsyncClient:
    """Connect to the whole application."""
    transport = httpx2.ASGITransport(app=whole(process))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


async def test_the_document_is_of_this_process(
    client: httpx2.AsyncClient, process: Process
) -> None:
    ears = Subscriber("ears")
    ears.on(Rang)(Effects())
    process.subscribers = [*main.SUBSCRIBERS, ears]

    shown = await document(client)

    assert shown["channels"]["orders"]["address"] == "shop:orders"
    assert shown["channels"]["dead_letters"]["address"] == "shop:dead-letters"
    assert shown["operations"]["inventory.receive.orders"]["action"] == "receive"
    assert shown["operations"]["ears.receive.bells"]["x-subscriber"] == "ears"
    assert shown["info"]["version"] == VERSION


async def test_the_page_tells_of_every_event(client: httpx2.AsyncClient) -> None:
    page = await client.get("/asyncapi")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    shown = await document(client)
    sent = [one for one in shown["operations"].values() if one["action"] == "send"]
    types = [each["$ref"].rpartition("/")[2] for one in sent for each in one["messages"]]
    assert len(types) > 15
    for type_ in types:
        assert f'<section id="{type_}"' in page.text
        assert f'href="v1/event-types/{type_}"' in page.text
    assert "An order was accepted and waits for stock." in page.text
    assert "<code>auto</code> promises to confirm" in page.text
    assert "move_stock" in page.text


async def test_the_page_and_all_it_loads_come_from_here(client: httpx2.AsyncClient) -> None:
    page = await client.get("/asyncapi")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'self';" in policy
    assert not re.search(r"<script|<style|\s(?:on\w+|style)=|=\"\w*:?//", page.text)
    addresses = set(re.findall(r'(?:src|href)="([^"#]+)', page.text)) - {"data:,"}
    # The schemas need a database; each is there (tests/web/test_feed.py).
    loaded = {one for one in addresses if not one.startswith("v1/")}
    assert loaded == {"docs/page.css", "asyncapi.json", "docs", "problems"}
    for address in loaded:
        assert (await client.get(f"/{address}")).status_code == 200
    assert (await client.get("/docs/page.css")).headers["content-type"].startswith("text/css")


async def test_what_an_event_says_of_itself_is_text_and_no_markup(
    client: httpx2.AsyncClient, process: Process
) -> None:
    class Shouted(Event):
        """Somebody said <b>`<script>`</b>."""

        type = "yard.name_shouted.v1"
        subject_field = "name"

        name: str

    ears = Subscriber("ears<i>")
    ears.on(Shouted)(Effects())
    process.subscribers = [ears]

    page = await client.get("/asyncapi")

    assert "Somebody said &lt;b&gt;<code>&lt;script&gt;</code>&lt;/b&gt;." in page.text
    assert "ears&lt;i&gt;" in page.text
    assert "<i>" not in page.text


async def test_the_docs_lead_to_the_events(client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["info"]["description"]

    assert "(asyncapi)" in described
    assert (await client.get("/asyncapi")).status_code == 200


async def test_a_worker_serves_neither(process: Process) -> None:
    worker = whole(process, role="worker", DATABASE_URL="postgresql://x", REDIS_URL="redis://x")
    transport = httpx2.ASGITransport(app=worker)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as asking:
        for path in ("/asyncapi", "/asyncapi.json"):
            assert (await asking.get(path)).status_code == 404


async def test_the_list_of_types_tells_who_hears_them(client: httpx2.AsyncClient) -> None:
    items = (await client.get("/v1/event-types")).json()["items"]

    created = next(item for item in items if item["type"] == OrderCreated.type)
    assert created["subscribers"] == ["inventory"]
    assert created["older_versions"] == []
    assert created["example"]["type"] == OrderCreated.type
    assert created["example"]["data"]["lines"] == [{"sku": "MUG", "quantity": 2}]
