"""What was given up is run again, mended, tried without effect, or waived."""

import anyio
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.action import Action, ActionKind, NoActionError, page_of_actions, progress
from app.bus.dead_letters import (
    Filter,
    NoDeliveryError,
    NotGivenUpError,
    count,
    page_of_groups,
    page_of_letters,
)
from app.bus.delivery import State
from app.bus.dry_run import dry_run
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.redrive import NotHandledHereError, discard, redrive, redrive_all
from app.bus.sql import later
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery as delivery_table
from app.bus.timeouts import Timeouts
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead, one
from tests.bus.sample import (
    Rang,
    delivery_rows,
    handled_count,
    ring,
    running,
    subscribed,
)
from tests.transactions import counted


async def told(database: Database) -> list[Action]:
    async with database.read() as session:
        return await page_of_actions(session, before=None, limit=100)


async def test_a_redriven_event_has_its_effects_once(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))
    ears.cured = True

    done = await redrive(database, [ears.subscriber], "ears", event_id, who="ann")

    assert (done.ran, done.outcome) == (True, "handled")
    assert await handled_count(database, "ears") == await handled_count(database, "effects") == 1
    assert await delivery_rows(database) == []
    with pytest.raises(NoDeliveryError):
        await redrive(database, [ears.subscriber], "ears", event_id, who="ann")
    [action] = await told(database)
    assert (action.action, action.who, action.total) == (ActionKind.REDRIVE, "ann", 1)
    assert (action.subscriber, action.event_id) == ("ears", event_id)


async def test_operators_who_redrive_at_once_redrive_once(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))
    ears.cured = True
    outcomes: list[str] = []

    async def operator() -> None:
        try:
            done = await redrive(database, [ears.subscriber], "ears", event_id, who="ann")
        except (NoDeliveryError, NotGivenUpError) as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append(done.outcome)

    loop = DueDeliveries(database, ears.subscriber, policy=DuePolicy(poll_s=0.01))
    async with running(loop), anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(operator)

    assert outcomes.count("handled") == 1
    assert await handled_count(database, "effects") == 1


async def test_a_redriven_event_that_fails_again_says_so(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))

    done = await redrive(database, [ears.subscriber], "ears", event_id, who="ann")

    assert (done.outcome, done.attempts) == ("dead", 1)
    assert (done.error_type, done.error) == ("PermanentError", "too loud: 11")
    async with database.read() as session:
        assert (await progress(session, done.action.id)).left == {"dead": 1}


async def test_what_this_process_cannot_run_is_left_to_one_that_can(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))

    with pytest.raises(NotHandledHereError):
        await redrive(database, [], "ears", event_id, who="ann", data={"bell": "a"})
    done = await redrive(database, [], "ears", event_id, who="ann")

    assert (done.ran, done.outcome) == (False, "due")
    ears.cured = True
    await DueDeliveries(database, ears.subscriber).run_page()
    assert await handled_count(database, "effects") == 1


async def test_hundreds_are_redriven_by_one_update_and_counted_down(database: Database) -> None:
    ears = Ears()
    events = [Rang(bell="a", volume=LOUD) for _ in range(300)]
    await subscribed(database, ears.subscriber)
    await ring(database, *events)
    given_up = {"subscriber": "ears", "state": "dead", "reason": "failed", "attempts": 8}
    async with database.write() as session:
        rows = [{**given_up, "unfinished": 0, "event_id": event.id} for event in events]
        await session.execute(delivery_table.insert(), rows)
    ears.cured = True

    with counted(database) as statements:
        async with database.write() as session:
            action = await redrive_all(session, Filter(subscriber="ears"), who="ann")
    assert len([one for one in statements if "UPDATE" in one.split()]) == 1
    async with database.read() as session:
        before = await progress(session, action.id)
    due = DueDeliveries(database, ears.subscriber)
    while await due.run_page():
        pass
    async with database.read() as session:
        after = await progress(session, action.id)

    assert (action.total, before.left, before.done) == (300, {"due": 300}, 0)
    assert (after.left, after.done) == ({}, 300)
    assert await handled_count(database, "effects") == 300


async def test_a_filter_chooses_and_the_rest_stays(database: Database) -> None:
    ears = Ears()
    events = [Rang(bell="a", volume=LOUD) for _ in range(4)]
    ids = await dead(database, ears, *events)
    at = (await one(database, ids[0])).updated_at
    filters = {
        Filter(subscriber="nose"): 0,
        Filter(type="noses.smelt.v1"): 0,
        Filter(type=Rang.type, error_type="PermanentError"): 4,
        Filter(error_type="ValueError"): 0,
        Filter(since=at.replace(year=2099)): 0,
        Filter(until=at.replace(year=2001)): 0,
        Filter(since=at.replace(year=2001), until=at.replace(year=2099)): 4,
        Filter(state=State.DUE): 0,
        Filter(event_ids=tuple(ids[:3])): 3,
    }
    async with database.read() as session:
        assert await page_of_letters(
            session, Filter(since=at, event_ids=(ids[0],)), before=None, limit=9
        )
        for wanted, number in filters.items():
            assert await count(session, wanted) == number

    async with database.write() as session:
        action = await redrive_all(session, Filter(event_ids=tuple(ids[1:3])), who="ann")

    assert action.total == 2
    states = {row.event_id: row.state for row in await delivery_rows(database)}
    assert [states[event_id] for event_id in ids] == ["dead", "due", "due", "dead"]


async def test_pages_and_groups(database: Database) -> None:
    ears = Ears()
    ids = await dead(database, ears, *[Rang(bell="a", volume=LOUD) for _ in range(5)])

    async with database.read() as session:
        first = await page_of_letters(session, Filter(), before=None, limit=3)
        last = (first[-1].event_id, first[-1].subscriber)
        rest = await page_of_letters(session, Filter(), before=last, limit=3)
        [group] = await page_of_groups(session, Filter(), after=None, limit=9)
        key = (group.subscriber, group.type, group.error_type)
        assert await page_of_groups(session, Filter(), after=key, limit=9) == []

    assert [one.event_id for one in first + rest] == sorted(ids, reverse=True)
    assert (*key, group.count) == ("ears", Rang.type, "PermanentError", 5)
    assert group.first_at <= group.last_at


async def test_a_discarded_event_keeps_its_error_and_can_be_redriven(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))

    async with database.write() as session:
        action = await discard(session, "ears", event_id, who="ann", reason="bell was sold")
    found = await one(database, event_id)
    with pytest.raises(NotGivenUpError):
        async with database.write() as session:
            await discard(session, "ears", event_id, who="ann", reason="twice")
    ears.cured = True
    done = await redrive(database, [ears.subscriber], "ears", event_id, who="ann")

    assert action.detail == {"reason": "bell was sold"}
    assert (found.state, found.error) == (State.DISCARDED, "too loud: 11")
    assert found.action_id == action.id
    assert done.outcome == "handled"


async def test_what_is_not_there_or_not_given_up_is_refused(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))
    async with database.write() as session:
        await redrive_all(session, Filter(), who="ann")

    with pytest.raises(NotGivenUpError):
        await redrive(database, [ears.subscriber], "ears", event_id, who="ann")
    with pytest.raises(NotGivenUpError):
        await dry_run(database, [ears.subscriber], "ears", event_id)
    with pytest.raises(NoDeliveryError):
        await redrive(database, [ears.subscriber], "nose", event_id, who="ann")
    async with database.read() as session:
        with pytest.raises(NoActionError):
            await progress(session, event_id)


async def test_a_run_by_hand_keeps_to_the_times_it_is_given(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=LOUD))
    times = Timeouts(lock_s=0.01, statement_s=0.02, handler_s=0.3, idle_in_transaction_s=900)
    slow = Subscriber("ears")
    long_leases: list[bool] = []

    @slow.on(Rang)
    async def hear(_event: Rang, session: AsyncSession) -> None:
        leased = select(delivery_table.c.next_attempt_at > later(890))
        long_leases.append(bool(await session.scalar(leased)))
        await anyio.sleep(3)

    tried = await dry_run(database, [slow], "ears", event_id, timeouts=times)
    done = await redrive(database, [slow], "ears", event_id, who="ann", timeouts=times)

    assert tried.error_type == done.error_type == "HandlerTimeoutError"
    assert (done.outcome, done.attempts) == ("due", 1)
    assert long_leases == [False, True]
