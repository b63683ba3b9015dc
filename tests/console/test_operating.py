"""The pages of streams, subscribers and the audit: what they show, and what they do by REST."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.db import Database
from app.modules.orders.events import OrderCreated
from tests.console.browsing import browser, send, text_of
from tests.console.conftest import Application
from tests.web.holders import reads
from tests.web.sample import Process, settings, whole


def listening(name: str) -> Subscriber:
    subscriber = Subscriber(name)

    @subscriber.on(OrderCreated)
    async def hear(event: OrderCreated, session: AsyncSession) -> None:
        """Do nothing; nobody runs it."""

    return subscriber


HOSTILE = "<script>alert('stock')</script>"


async def test_the_overview_draws_the_flow_and_says_it_in_words(
    operator: httpx2.AsyncClient,
) -> None:
    page = await operator.get("/console")

    said = text_of(page)
    assert page.status_code == 200
    assert "The same in words" in said
    assert page.text.count('<svg class="flow ') == 2
    for station in ("Outbox", "Relay", "Stream orders", "Subscriber inventory"):
        assert station in said
    assert 'href="/console/streams/inventory"' in page.text


async def test_the_overview_asks_no_more_of_the_database_for_more_subscribers(
    operator: httpx2.AsyncClient, sqlite: Database
) -> None:
    await operator.get("/console")
    with reads(sqlite) as before:
        await operator.get("/console")
    async with sqlite.write() as session:
        await inbox.subscribe(session, [listening(f"more-{number}") for number in range(5)])

    with reads(sqlite) as after:
        assert "Subscriber more-4" in text_of(await operator.get("/console"))

    assert 0 < len(after) == len(before)


async def test_the_overview_outlives_redis(application: Application) -> None:
    app = application()
    app.state.runtime.stream = Stream("unix:///nowhere/s")

    async with browser(app) as client:
        overview = text_of(await client.get("/console"))
        streams = await client.get("/console/streams")

    assert "Redis is away Orders are taken, their events will wait." in overview
    assert streams.status_code == 200
    assert "Redis is away" in text_of(streams)


async def test_a_subscriber_is_paused_for_a_reason_and_resumed(
    operator: httpx2.AsyncClient,
) -> None:
    done = await send(
        operator, "/console/streams/inventory/pause", {"reason": HOSTILE, "once": "press-1"}
    )

    assert done.headers["location"] == "/console/streams/inventory?did=paused"
    page = await operator.get(done.headers["location"])
    assert "It is paused: every process stops reading" in text_of(page)
    assert "&lt;script&gt;alert(&#39;stock&#39;)&lt;/script&gt;" in page.text
    for path in ("/console", "/console/streams", "/console/audit"):
        other = await operator.get(path)
        assert "<script>alert" not in other.text
        assert "paused" in other.text or "pause" in other.text
    flow = (await operator.get("/v1/ops/flow")).json()
    inventory = next(one for one in flow["subscribers"] if one["name"] == "inventory")
    assert inventory["paused"]["reason"] == HOSTILE

    done = await send(operator, "/console/streams/inventory/resume", {"once": "press-2"})

    assert done.headers["location"] == "/console/streams/inventory?did=resumed"
    assert "is paused" not in text_of(await operator.get("/console/streams/inventory"))


async def test_a_refusal_stands_on_the_page_it_came_from(operator: httpx2.AsyncClient) -> None:
    no_reason = await send(operator, "/console/streams/inventory/pause", {"reason": ""})
    not_paused = await send(operator, "/console/streams/inventory/resume")
    no_time = await operator.get("/console/streams/inventory/replay?from=yesterday")

    assert no_reason.status_code == 422
    assert "/reason" in text_of(no_reason)
    assert not_paused.status_code == 409
    assert "not_paused" in text_of(not_paused)
    assert no_time.status_code == 422
    assert "from_time" in text_of(no_time)


async def test_a_press_that_is_sent_twice_is_one_action(operator: httpx2.AsyncClient) -> None:
    press = {"reason": "A stock take", "once": "the-same-press"}
    for _ in range(2):
        await send(operator, "/console/streams/inventory/pause", press)

    actions = (await operator.get("/v1/ops/actions")).json()["items"]

    assert [one["action"] for one in actions] == ["pause"]


async def test_a_replay_is_looked_at_first_and_leads_to_its_progress(
    operator: httpx2.AsyncClient,
) -> None:
    look = await operator.get("/console/streams/inventory/replay?from=2026-01-01T00:00:00&until=")

    assert look.status_code == 200
    assert "There is nothing to replay" in text_of(look)
    assert (await operator.get("/v1/ops/actions")).json()["items"] == []

    fields = {"from": "2026-01-01T00:00:00", "until": "", "once": "press-3"}
    done = await send(operator, "/console/streams/inventory/replay", fields)

    action = (await operator.get("/v1/ops/actions")).json()["items"][0]
    assert (done.status_code, action["action"]) == (303, "replay")
    assert done.headers["location"] == f"/console/actions/{action['id']}"
    assert action["detail"] == {"from_time": "2026-01-01T00:00:00+00:00"}
    assert "replay" in text_of(await operator.get("/console/audit"))


async def test_a_fill_is_looked_at_first(operator: httpx2.AsyncClient) -> None:
    look = await operator.get("/console/streams/orders/fill")

    assert "There is nothing to fill" in text_of(look)
    assert (await operator.get("/console/streams/orders/drop")).status_code == 404


async def test_the_audit_tells_who_did_what_and_why(operator: httpx2.AsyncClient) -> None:
    assert "No operator did anything yet" in text_of(await operator.get("/console/audit"))
    for name in ("inventory", "orders"):
        await send(operator, f"/console/streams/{name}/pause", {"reason": f"Count {name}"})

    everything = text_of(await operator.get("/console/audit"))
    some = text_of(await operator.get("/console/audit?subscriber=orders&action=pause&who=open"))
    nothing = text_of(await operator.get("/console/audit?who=nobody"))
    unknown = await operator.get("/console/audit?action=dance")

    assert "“Count inventory”" in everything
    assert "“Count orders”" in everything
    assert "Count inventory" not in some
    assert "Count orders" in some
    assert "Nothing like this was done" in nothing
    assert unknown.status_code == 422


async def test_the_audit_goes_on_page_by_page(
    operator: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.audit._LIMIT", 2)
    for number in range(3):
        await send(operator, "/console/streams/orders/pause", {"reason": f"Number {number}"})

    first = await operator.get("/console/audit?subscriber=orders")
    more = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = await operator.get(more.replace("&amp;", "&"))

    assert "Number 0" not in first.text
    assert "subscriber=orders" in more
    assert "Number 0" in second.text
    assert "Number 2" not in second.text
    assert "First page" in second.text


async def test_what_is_not_there_is_said_in_our_look(operator: httpx2.AsyncClient) -> None:
    for path in ("/console/nowhere", "/console/streams/nobody", "/console/live/nothing"):
        answer = await operator.get(path)
        assert answer.status_code == 404
        assert "Nothing is here" in text_of(answer)
    answer = await operator.put("/console/audit", headers={"origin": "http://localhost:8000"})
    assert answer.status_code == 405
    assert "Not possible here" in text_of(answer)


async def test_a_database_that_is_away_is_a_page_that_says_to_try_again(
    gone: Database, stream: Stream
) -> None:
    app = whole(Process(settings=settings(), database=gone, stream=stream))
    async with browser(app) as client:
        answer = await client.get("/console/audit?who=me")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "Try again" in text_of(answer)
    assert 'href="/console/audit?who=me"' in answer.text
