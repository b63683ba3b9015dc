"""A loop that runs out of time while it drains leaves nothing that waits for a claim or a lease."""

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, Supervisor
from app.db import Database
from tests.bus.owing import owe
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

FAR_S = 600.0
UNHURRIED = ConsumerPolicy(claim_idle_s=FAR_S, block_s=0.2, reclaim_every_s=0.05)


class Stuck:
    """A subscriber whose handler says that it has begun, and never ends."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.subscriber = Subscriber("ears")
        self.subscriber.on(Rang)(self.hear)

    async def hear(self, _event: Rang, _session: AsyncSession) -> None:
        self.begun.set()
        await anyio.sleep(FAR_S)

    async def cut_short(self, loop: Loop) -> None:
        """Run the loop until it is stuck, tell it to stop, and do not wait for it."""
        supervisor = Supervisor([loop], lambda: None)
        async with anyio.create_task_group() as group:
            group.start_soon(supervisor.run)
            with anyio.fail_after(10):
                await self.begun.wait()
            supervisor.stop()
            group.cancel_scope.cancel()


async def test_what_a_consumer_held_is_claimed_at_once(database: Database, stream: Stream) -> None:
    stuck, effects = Stuck(), Effects()
    await subscribed(database, stuck.subscriber)
    await ring(database, *[Rang(bell="a") for _ in range(10)])
    await relay_all(database, stream)

    await stuck.cut_short(Consumer(database, stream, stuck.subscriber, "leaving", UNHURRIED))

    async with running(Consumer(database, stream, listening(effects), "staying", UNHURRIED)):
        await until_handled(database, "ears", 10)
    assert effects.calls == 10


async def test_what_was_due_is_ripe_at_once_and_had_no_attempt(database: Database) -> None:
    stuck, effects = Stuck(), Effects()
    await owe(database, stuck.subscriber, *[Rang(bell="a") for _ in range(10)])
    policy = DuePolicy(lease_s=FAR_S, poll_s=0.02)

    await stuck.cut_short(DueDeliveries(database, stuck.subscriber, policy=policy))

    rows = await delivery_rows(database)
    assert {(row.state, row.attempts, row.unfinished) for row in rows} == {("due", 0, 0)}
    async with running(DueDeliveries(database, listening(effects), policy=policy)):
        await until_handled(database, "ears", 10)
    assert effects.calls == 10
