"""Leaving and coming back: nothing waits for a claim idle or a lease that nobody needs."""

from app.bus import lease
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.delivery import park
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.stream import Stream
from app.db import Database
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    listening,
    relay_all,
    ring,
    running,
    subscribed,
    until_handled,
)


async def test_what_a_leaving_consumer_holds_is_claimed_at_once(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    await ring(database, *[Rang(bell="a") for _ in range(10)])
    await relay_all(database, stream)
    await stream.ensure_groups(["bells"], "ears")
    async with stream.reader(["bells"], "ears", "leaving", block_s=0.2) as reader:
        await reader.fresh(10)
    unhurried = ConsumerPolicy(claim_idle_s=600, block_s=0.2, reclaim_every_s=0.05)
    leaving = Consumer(database, stream, ears, "leaving", unhurried)

    await leaving._hand_back()

    async with running(Consumer(database, stream, ears, "staying", unhurried)):
        await until_handled(database, "ears", 10)
    assert effects.calls == 10


async def test_a_consumer_that_holds_nothing_is_forgotten(
    database: Database, stream: Stream
) -> None:
    ears = listening(Effects())
    await subscribed(database, ears)
    async with running(Consumer(database, stream, ears, "c1")):
        await ring(database, Rang(bell="a"))
        await relay_all(database, stream)
        await until_handled(database, "ears", 1)

    assert await stream._redis.xinfo_consumers(stream.key("bells"), "ears") == []


async def test_leaving_without_an_engine_or_a_group_is_no_error(
    database: Database, stream: Stream
) -> None:
    ears = listening(Effects())
    consumer = Consumer(database, stream, ears, "c1")

    await consumer._hand_back()


async def test_a_process_that_is_alone_waits_for_no_lease_of_its_predecessor(
    database: Database,
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    event = Rang(bell="a")
    await ring(database, event)
    async with database.write() as session:
        await park(session, "ears", [event.id])
        [claimed] = await lease.claim(
            session, "ears", ears.handlers, limit=10, lease_s=600, deaths=0
        )

    async with running(DueDeliveries(database, ears, policy=DuePolicy(alone=True))):
        await until_handled(database, "ears", 1)

    assert claimed.attempts == 1
    assert await delivery_rows(database) == []
