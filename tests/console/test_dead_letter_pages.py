"""The pages of dead letters: why they failed, mended, tried, run again, together or waived."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from app.bus.due import DueDeliveries
from app.bus.tables import delivery, failed_attempt
from app.console import actions as action_page, dead_letters as letters_page
from app.console.live import DONE
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.sample import Heard, Rang, delivery_rows, handled_count
from tests.console.desk import (
    HOSTILE,
    SQLITE,
    application,
    browsing,
    hidden,
    links,
    live_request,
    text_of,
)

pytestmark = SQLITE

LIST = "/console/dead-letters"


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def app(database: Database, ears: Ears) -> FastAPI:
    return application(database, [ears.subscriber])


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with browsing(app) as opened:
        yield opened


def loud(number: int, bell: str = "a") -> list[Rang]:
    return [Rang(bell=bell, volume=LOUD) for _ in range(number)]


def page_of(event_id: UUID) -> str:
    return f"{LIST}/ears/{event_id}"


async def test_no_dead_letters_is_said_in_words(client: httpx2.AsyncClient) -> None:
    pages = [await client.get(f"{LIST}?state={state}") for state in ("dead", "due", "discarded")]

    assert "No dead letters" in text_of(pages[0])
    assert "Nothing is waiting to be tried" in text_of(pages[1])
    assert "Nothing was discarded" in text_of(pages[2])


async def test_groups_lead_to_their_letters_and_letters_to_their_neighbours(
    client: httpx2.AsyncClient, app: FastAPI, database: Database, ears: Ears
) -> None:
    ids = await dead(database, ears, *loud(3))

    groups = await client.get(LIST)
    [group] = links(groups, f"{LIST}?subscriber=ears")
    listed = await client.get(group)
    middle = await client.get(links(listed, f"{LIST}/ears/")[1])
    fragment = (await letters_page.live(live_request(app, "")))["letter-groups"]

    assert "3 letters in 1 group" in text_of(groups)
    assert "PermanentError" in fragment
    assert [str(id_) in listed.text for id_ in ids] == [True] * 3
    assert "too loud: 11" in text_of(middle)
    newer, older = (
        next(one for one in links(middle, f"{LIST}/ears/") if str(id_) in one)
        for id_ in (max(ids), min(ids))
    )
    assert f'href="{newer.replace("&", "&amp;")}" rel="prev"' in middle.text
    assert f'href="{older.replace("&", "&amp;")}" rel="next"' in middle.text


async def test_a_letter_shows_its_attempts_and_its_trace_as_text(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1, bell=HOSTILE))
    async with database.write() as session:
        await session.execute(delivery.update().values(traceback=f"Traceback\n{HOSTILE}"))
        await session.execute(failed_attempt.delete())
        await session.execute(
            failed_attempt.insert().values(
                subscriber="ears",
                event_id=event_id,
                attempt=1,
                becomes="dead",
                error_type="PermanentError",
                error=HOSTILE,
                took_ms=12.0,
            )
        )

    page = await client.get(page_of(event_id))

    assert HOSTILE not in page.text
    assert page.text.count("&lt;script&gt;") >= 3
    assert "1 failed attempt" in text_of(page)
    assert "12 ms" in text_of(page)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ('{"bell": "a" "volume": 3}', "This is not JSON"),
        ('{"bell": "a", "volume": NaN}', "NaN is no number in JSON"),
        ('{"bell": "a", "bell": "b"}', "&#34;bell&#34; stands twice in one object"),
        ('{"bell": "a", "volume": "much"}', "/volume Input should be a valid integer"),
        ('{"volume": 3}', "/bell Field required"),
        ("[1, 2]", "Input should be a valid dictionary"),
    ],
)
async def test_what_does_not_fit_is_said_at_the_field_and_stays_in_it(
    client: httpx2.AsyncClient, database: Database, ears: Ears, typed: str, said: str
) -> None:
    [event_id] = await dead(database, ears, *loud(1))

    page = await client.post(f"{page_of(event_id)}/run", data={"what": "redrive", "data": typed})

    assert page.status_code == 422
    assert said in text_of(page)
    assert 'aria-invalid="true"' in page.text
    assert typed.replace('"', "&#34;") in page.text
    assert {row.state for row in await delivery_rows(database)} == {"dead"}


async def test_a_letter_is_compared_dry_run_and_redriven(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    run = f"{page_of(event_id)}/run"
    mended = {"data": json.dumps({"bell": "a", "volume": 3})}

    compared = await client.post(run, data={"what": "compare", **mended})
    failing = await client.post(run, data={"what": "dry-run"})
    fitting = await client.post(run, data={"what": "dry-run", **mended})
    before = await handled_count(database, "effects")
    again = await client.post(run, data={"what": "redrive"})
    still = await client.get(again.headers["location"])
    done = await client.post(run, data={"what": "redrive", **mended})
    action = await client.get(done.headers["location"])

    assert "taken out: </span><code>  &#34;volume&#34;: 11</code>" in compared.text
    assert "put in: </span><code>  &#34;volume&#34;: 3</code>" in compared.text
    assert "It would fail again PermanentError too loud: 11" in text_of(failing)
    assert "It would be handled" in text_of(fitting)
    assert "inbox 1 0 0 outbox 1 0 0" in text_of(fitting)
    assert Heard.type in text_of(fitting)
    assert before == 0
    assert "Still a dead letter" in text_of(still)
    assert "It was handled" in text_of(action)
    assert "1 of 1 done" in text_of(action)
    assert await handled_count(database, "effects") == 1


async def test_those_ticked_are_redriven_and_each_has_a_result(
    client: httpx2.AsyncClient, app: FastAPI, database: Database, ears: Ears
) -> None:
    ids = await dead(database, ears, *loud(3))
    ears.cured = True
    chosen = [f"{id_} ears" for id_ in ids[:2]]

    none = await client.post(f"{LIST}/redrive?subscriber=ears", data={"what": "selected"})
    started = await client.post(f"{LIST}/redrive", data={"what": "selected", "letter": chosen})
    before = await client.get(started.headers["location"])
    due = await client.get(f"{LIST}?state=due&view=list")
    waiting = await client.get(page_of(ids[0]))
    await DueDeliveries(database, ears.subscriber).run_page()
    action_id = started.headers["location"].rpartition("/")[2]
    fragments = await action_page.live(live_request(app, f"id={action_id}"))
    after = await client.get(started.headers["location"])

    assert "No letter was chosen" in text_of(await client.get(none.headers["location"]))
    assert "0 of 2 done · 2 to be tried" in text_of(before)
    assert f"/console/live/action?id={action_id}" in before.text
    assert [str(id_) in due.text for id_ in ids] == [True, True, False]
    assert 'type="checkbox"' not in due.text
    assert "A worker runs it when its time comes" in text_of(waiting)
    assert "<textarea" not in waiting.text
    assert "2 of 2 done" in text_of(after)
    assert text_of(after).count("handled") == 2
    assert 'aria-valuenow="2"' in fragments["action-progress"]
    assert DONE in fragments
    assert "/console/live/action" not in after.text


async def test_all_that_match_are_counted_confirmed_and_redriven_once(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    await dead(database, ears, *loud(3))
    there = f"{LIST}/redrive?subscriber=ears&error_type=PermanentError"

    sure = await client.post(there, data={"what": "count"})
    waiting = {row.state for row in await delivery_rows(database)}
    asked = {"what": "all", "key": hidden(sure, "key")}
    started = await client.post(there, data=asked)
    twice = await client.post(there, data=asked)
    action = await client.get(started.headers["location"])

    assert "Redrive 3 dead letters?" in text_of(sure)
    assert waiting == {"dead"}
    assert started.headers["location"] == twice.headers["location"]
    assert "0 of 3 done" in text_of(action)
    assert {row.state for row in await delivery_rows(database)} == {"due"}


async def test_one_is_discarded_with_a_reason_and_can_be_taken_back(
    client: httpx2.AsyncClient, database: Database, ears: Ears
) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    there = f"{page_of(event_id)}/discard"

    blank = await client.post(there, data={"reason": " "})
    done = await client.post(there, data={"reason": HOSTILE})
    shown = await client.get(done.headers["location"])
    twice = await client.post(there, data={"reason": "again"})

    assert blank.status_code == 422
    assert "Discarded The reason is kept." in text_of(shown)
    assert f'action="{page_of(event_id)}/run' in shown.text
    assert f'action="{there}' not in shown.text
    assert (twice.status_code, "Not a dead letter" in text_of(twice)) == (409, True)


async def test_what_is_gone_or_no_filter_is_said_by_the_rest_api(
    client: httpx2.AsyncClient,
) -> None:
    gone = await client.get(page_of(UUID("01890000-0000-7000-8000-000000000000")))
    unfit = await client.get(f"{LIST}?since=yesterday&view=list")
    no_action = await client.get("/console/actions/nonsense")

    assert [one.status_code for one in (gone, no_action, unfit)] == [404, 422, 422]
    assert "query /since" in text_of(unfit)
    assert 'value="yesterday"' in unfit.text


async def test_who_may_only_look_changes_nothing(database: Database, ears: Ears) -> None:
    [event_id] = await dead(database, ears, *loud(1))
    async with browsing(application(database, [ears.subscriber], console="read-only")) as client:
        listed = await client.get(f"{LIST}?view=list")
        page = await client.get(page_of(event_id))

    assert "<textarea" not in page.text
    assert "Redrive" not in listed.text + page.text
    assert "&#34;volume&#34;: 11" in page.text
