"""A kit for modules' tests: publish, let everything settle, look; crash in between.

Real engines: a database and a stream that the caller opened. The loops are those of `serve`, with
short waits, and what stands for a crash is what a crash leaves behind: a transaction that was never
committed, or one that was and whose entries nobody acknowledged.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
from sqlalchemy import ColumnElement, Select, func, or_, select, true, update

from app.bus import dead_letters, inbox, outbox
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.dead_letters import Filter, Letter
from app.bus.delivery import State
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.event import Envelope, Event
from app.bus.relay import Relay, RelayPolicy
from app.bus.sql import Transactions, now
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, Pulse
from app.bus.tables import delivery, inbox as inbox_table, outbox as outbox_table, subscription
from app.bus.testing.clock import Clock
from app.bus.testing.crash import Crash, Death, Moment, Mortal, NotSettledError
from app.bus.timer import Timer
from app.bus.wakeup import WakeUp

E = TypeVar("E", bound=Event)

_QUICK = ConsumerPolicy(block_s=0.2, claim_idle_s=0.2, reclaim_every_s=0.05)
_ASK_S = 0.002


class Scenario:
    """Subscribers at work on real engines, as `play` starts them."""

    def __init__(
        self,
        database: Transactions,
        stream: Stream,
        subscribers: Sequence[Subscriber],
        timers: Sequence[Timer],
        clock: Clock | None,
    ) -> None:
        self._database = database
        self._stream = stream
        self._timers = timers
        self._clock = clock
        self._mortals = {each.name: Mortal(database) for each in subscribers}
        self._died: dict[str, anyio.Event] = {}
        self.wake_up = WakeUp()

    async def publish(self, *events: Event) -> None:
        """Commit events to the outbox, in a transaction of their own."""
        async with self._database.write() as session:
            await outbox.publish(session, *events)
        self.wake_up.committed()

    async def published(self, kind: type[E]) -> list[E]:
        """Return the events of this kind that were committed, in their order."""
        query = select(outbox_table.c.envelope).where(outbox_table.c.type == kind.type)
        async with self._database.read() as session:
            found = await session.scalars(query.order_by(outbox_table.c.position))
            return [Envelope.model_validate_json(text).open(kind) for text in found]

    async def wait_for(
        self, kind: type[E], where: Callable[[E], bool] = lambda _: True, *, within_s: float = 5.0
    ) -> E:
        """Return the first event of this kind that fits; raises NotSettledError without one."""
        found: list[E] = []

        async def there() -> bool:
            found[:] = [event for event in await self.published(kind) if where(event)]
            return bool(found)

        if not await _within(within_s, there):
            raise NotSettledError(f"no {kind.type} that fits was published in {within_s:g} s")
        return found[0]

    async def drain(self, *, within_s: float = 10.0) -> None:
        """Wait until nothing is under way: all is published and handled, or a dead letter.

        Retries do not wait for their time. Raises NotSettledError with what is left.
        """
        left: dict[str, int] = {}

        async def settled() -> bool:
            left.update(await self._under_way())
            return not any(left.values())

        if not await _within(within_s, settled):
            told = ", ".join(f"{count} {what}" for what, count in left.items() if count)
            raise NotSettledError(f"after {within_s:g} s there are still {told}")

    async def dead_letters(self) -> list[Letter]:
        """Return what was given up, the newest event first."""
        async with self._database.read() as session:
            return list(
                await dead_letters.page_of_letters(session, Filter(), before=None, limit=1000)
            )

    async def pass_time(self, seconds: float) -> None:
        """Move the database's clock forward, sweep every timer, and drain.

        Needs the clock that rules the database's engines, which there is for SQLite only.
        """
        if self._clock is None:
            msg = "play() was given no clock to move"
            raise NotSettledError(msg)
        self._clock.advance(seconds)
        for timer in self._timers:
            found = 1
            while found:
                async with self._database.write() as session:
                    found = await timer.sweep(session)
        self.wake_up.committed()
        await self.drain()

    async def duplicate(self, event: Event) -> None:
        """Put a copy of an event on the stream, as a relay does that died before its mark."""
        query = select(outbox_table.c.envelope).where(outbox_table.c.event_id == event.id)
        async with self._database.read() as session:
            envelope = await session.scalar(query)
        if envelope is None:
            raise NotSettledError(f"{event.type} {event.id} was not published, so it has no copies")
        await self._stream.append([(event.context, envelope)])

    @contextmanager
    def crash(self, subscriber: Subscriber, moment: Moment) -> Iterator["Crash"]:
        """Let every batch of a subscriber end in its death while the block runs.

        When the block ends the subscriber comes back, as a restarted process does, and finds what
        it left. Await `Crash.happened` in the block.
        """
        mortal = self._mortals[subscriber.name]
        mortal.dies = moment
        died = self._died[subscriber.name] = anyio.Event()
        try:
            yield Crash(died)
        finally:
            mortal.dies = None

    async def _live(self, subscriber: Subscriber, pulse: Pulse) -> None:
        """Run a subscriber's consumer, again and again when it dies."""
        mortal = self._mortals[subscriber.name]
        while not pulse.stopping:
            consumer = Consumer(mortal, self._stream, subscriber, "scenario", _QUICK)
            try:
                await consumer.run(pulse)
            except Death:
                self._died[subscriber.name].set()
                while mortal.dies and not pulse.stopping:
                    await pulse.sleep(_ASK_S)

    async def _under_way(self) -> dict[str, int]:
        owed = (
            select(func.count())
            .select_from(
                outbox_table.join(subscription, subscription.c.event_type == outbox_table.c.type)
            )
            .where(
                or_(
                    outbox_table.c.log_position.is_(None),
                    outbox_table.c.log_position > subscription.c.since_log_position,
                ),
                *(
                    ~select(true())
                    .where(
                        table.c.subscriber == subscription.c.subscriber,
                        table.c.event_id == outbox_table.c.event_id,
                    )
                    .exists()
                    for table in (inbox_table, delivery)
                ),
            )
        )
        unpublished = outbox_table.c.published_at.is_(None)
        due = delivery.c.state == State.DUE
        async with self._database.read() as session:
            left = {
                "unpublished events": await session.scalar(_count(unpublished)) or 0,
                "deliveries on their way": await session.scalar(owed) or 0,
                "due deliveries": await session.scalar(_count(due)) or 0,
            }
        if left["due deliveries"]:
            # What waits for its next try need not wait here.
            ripe = update(delivery).where(due, delivery.c.unfinished == 0)
            async with self._database.write() as session:
                await session.execute(ripe.values(next_attempt_at=now()))
        return left


def _count(condition: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).where(condition)


@asynccontextmanager
async def play(
    database: Transactions,
    stream: Stream,
    *subscribers: Subscriber,
    timers: Sequence[Timer] = (),
    clock: Clock | None = None,
) -> AsyncIterator[Scenario]:
    """Register subscribers and run their loops, and a relay, for the length of the block.

    The stream needs a prefix of its own. A loop that fails with anything but what a `crash` asked
    for ends the block with its error.
    """
    async with database.write() as session:
        await inbox.subscribe(session, subscribers)
    scenario = Scenario(database, stream, subscribers, timers, clock)
    if hasattr(database, "on_publish"):
        database.on_publish = scenario.wake_up.committed
    relay = Relay(database, stream, scenario.wake_up, RelayPolicy(idle_poll_s=0.02))
    due: list[Loop] = [
        DueDeliveries(database, each, policy=DuePolicy(poll_s=0.01)) for each in subscribers
    ]
    pulses: list[Pulse] = []
    async with anyio.create_task_group() as group:

        def start(name: str, run: Callable[[Pulse], Coroutine[Any, Any, None]]) -> None:
            pulses.append(Pulse(name))
            group.start_soon(run, pulses[-1], name=name)

        for loop in (relay, *due):
            start(loop.name, loop.run)
        for each in subscribers:
            start(f"consumer:{each.name}", _bound(scenario, each))
        try:
            yield scenario
        finally:
            for pulse in pulses:
                pulse.stop()


def _bound(
    scenario: Scenario, subscriber: Subscriber
) -> Callable[[Pulse], Coroutine[Any, Any, None]]:
    async def live(pulse: Pulse) -> None:
        await scenario._live(subscriber, pulse)  # noqa: SLF001 - two halves of one thing

    return live


async def _within(seconds: float, asked: Callable[[], Awaitable[bool]]) -> bool:
    """Ask again and again until it is so, and tell whether it became so in time."""
    with anyio.move_on_after(seconds):
        while not await asked():  # noqa: ASYNC110 - what is asked is a database
            await anyio.sleep(_ASK_S)
        return True
    return False
