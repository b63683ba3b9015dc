"""Chains: what a request led to, read from our own tables."""

from uuid import UUID

from sqlalchemy import insert

from app.bus import outbox
from app.bus.chain import MOST_EVENTS, Chain, Standing, chain_of, chain_of_subject
from app.bus.delivery import park
from app.bus.due import DueDeliveries
from app.bus.event import Context
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import failed_attempt
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.sample import (
    Effects,
    Heard,
    Rang,
    listening,
    loops,
    ring,
    running,
    subscribed,
    until_handled,
)


async def of(database: Database, correlation_id: str) -> Chain:
    async with database.snapshot() as session:
        return await chain_of(session, correlation_id)


async def about(database: Database, subject: str) -> Chain:
    async with database.snapshot() as session:
        return await chain_of_subject(session, subject)


async def test_a_chain_tells_who_did_what_when_and_who_has_not_yet(
    database: Database, stream: Stream
) -> None:
    ears, eyes = Ears().subscriber, listening(Effects(), "eyes")
    nose = Subscriber("nose")
    nose.on(Heard)(Effects())
    await subscribed(database, ears, eyes, nose)
    rang = Rang(bell="a").within(Context(correlation_id="req-1"))
    other = Rang(bell="a").within(Context(correlation_id="req-2"))
    async with running(*loops(database, stream, [ears, nose])):
        await ring(database, rang, other, Rang(bell="b"))
        await until_handled(database, "nose", 3)

    chain = await of(database, "req-1")
    both = await about(database, "a")

    assert (chain.correlation_ids, chain.truncated) == (["req-1"], False)
    cause, effect = chain.events
    assert [(one.type, one.causation_id) for one in chain.events] == [
        (Rang.type, None),
        (Heard.type, rang.id),
    ]
    assert (cause.id, cause.subject, cause.data) == (rang.id, "a", {"bell": "a", "volume": 1})
    assert cause.recorded_at < effect.recorded_at
    handled, waiting = cause.deliveries
    assert (handled.subscriber, handled.state) == ("ears", Standing.HANDLED)
    assert handled.finished_at == effect.recorded_at
    assert handled.started_at is not None
    assert handled.started_at <= handled.finished_at
    assert (handled.wait_ms or 0) >= 0
    assert handled.run_ms == round(
        (handled.finished_at - handled.started_at).total_seconds() * 1000, 3
    )
    assert (waiting.subscriber, waiting.state, waiting.wait_ms) == ("eyes", Standing.WAITING, None)
    [last] = effect.deliveries
    assert (last.subscriber, last.state) == ("nose", Standing.HANDLED)
    # It published nothing to tell the end by.
    assert (last.finished_at, last.run_ms) == (None, None)
    assert sorted(both.correlation_ids) == ["req-1", "req-2"]
    assert len(both.events) == 4


async def test_a_chain_tells_what_failed_and_why(database: Database) -> None:
    eyes = listening(Effects(), "eyes")
    await subscribed(database, eyes)
    [event_id] = await dead(database, Ears(), Rang(bell="a", volume=LOUD))
    await note_attempt(database, event_id)
    async with database.write() as session:
        await park(session, "eyes", [event_id])
    assert await DueDeliveries(database, eyes).run_page() == 1

    chain = await about(database, "a")

    given_up, handled = chain.events[0].deliveries
    assert (handled.state, handled.run_ms) == (Standing.HANDLED, None)
    assert (given_up.state, given_up.started_at) == (Standing.DEAD, None)
    assert given_up.attempts[-1].error == "too loud"
    assert given_up.attempts[-1].took_ms == 1.5
    assert chain.events[1].type == "dead_letters.event_dead_lettered.v1"


async def note_attempt(database: Database, event_id: UUID) -> None:
    async with database.write() as session:
        await session.execute(
            insert(failed_attempt).values(
                subscriber="ears",
                event_id=event_id,
                attempt=9,
                becomes="dead",
                error_type="PermanentError",
                error="too loud",
                took_ms=1.5,
            )
        )


async def test_of_a_request_about_many_a_subject_shows_what_is_its_own(
    database: Database, stream: Stream
) -> None:
    ears = Ears().subscriber
    await subscribed(database, ears)
    work = Context(correlation_id="batch")
    rang = [Rang(bell=f"b-{number}").within(work) for number in range(MOST_EVENTS)]
    heard_elsewhere = Heard(bell="c").caused_by(rang[7])
    async with running(*loops(database, stream, [ears])):
        await ring(database, *rang, heard_elsewhere)
        await until_handled(database, "ears", MOST_EVENTS)

    chain = await about(database, "b-7")

    assert (chain.correlation_ids, chain.truncated) == (["batch"], False)
    assert [(one.subject, one.causation_id) for one in chain.events] == [
        ("b-7", None),
        ("c", rang[7].id),
        ("b-7", rang[7].id),
    ]


async def test_a_long_chain_is_cut_and_says_so(database: Database) -> None:
    work = Context(correlation_id="long")
    async with database.write() as session:
        await outbox.publish(
            session, *(Rang(bell="a").within(work) for _ in range(MOST_EVENTS + 1))
        )

    chain, none = await of(database, "long"), await of(database, "none")

    assert (len(chain.events), chain.truncated) == (MOST_EVENTS, True)
    assert (none.events, none.truncated, (await about(database, "x")).events) == ([], False, [])
