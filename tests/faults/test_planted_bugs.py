"""Tests of the tests: every planted bug is caught, and its schedule without it breaks nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox
from app.bus.consumer import Consumer
from app.bus.errors import PermanentError, StreamError
from app.bus.event import Envelope, Event
from app.bus.handling import Handling
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.source import Delivery, FromStream
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.db import Database
from app.modules.inventory.models.tables import StockLevel
from app.modules.inventory.service.steps import Step
from tests.bus.sample import QUICK, Rang, relay_all, ring, running, subscribed, until
from tests.faults.audit import audited, create_audit
from tests.faults.checks import NO_DEADLOCK, NOTHING_LOST, broken, bus_broken
from tests.faults.plants import PLANTS
from tests.inventory.sample import decide, request, stock
from tests.least_privilege import as_superuser, lose, own_prefix
from tests.transactions import blocked, holding
from tests.valkey import ValkeyServer


@dataclass(frozen=True, slots=True)
class Bench:
    """What a schedule runs on."""

    database: Database
    stream: Stream
    patch: pytest.MonkeyPatch
    seen: list[str] = field(default_factory=list)

    async def broken(self) -> list[str]:
        """Return what is broken now, and what a schedule saw broken on its way."""
        return self.seen + await bus_broken(self.database)


def ears(hear: Callable[..., Awaitable[None]] | None = None) -> Subscriber:
    """Return a subscriber whose effects are audited; it does what hear does, else nothing."""

    async def listen(event: Event, session: AsyncSession) -> None:
        if hear is not None:
            await hear(event, session)

    subscriber = Subscriber("ears")
    subscriber.on(Rang)(listen)
    audited(subscriber)
    return subscriber


def delivery(event: Event, subscriber: Subscriber) -> Delivery:
    """Return the first delivery of event to subscriber."""
    return Delivery(event, subscriber.handlers[event.type][1])


def consumer(bench: Bench, subscriber: Subscriber) -> Consumer:
    """Return a consumer that always has the same name, as a restarted one has."""
    return Consumer(bench.database, bench.stream, subscriber, "c1", QUICK)


async def drained(bench: Bench) -> None:
    """Consume until the group has read everything and holds nothing."""

    async def nothing_left() -> bool:
        try:
            state = await bench.stream.group_state("bells", "ears")
        except StreamError:
            return False
        newest: Any = await bench.stream._redis.xrevrange(bench.stream.key("bells"), count=1)
        read = not newest or state.last_delivered_id == newest[0][0]
        return read and not state.pending_ids

    async with running(consumer(bench, ears())):
        await until(nothing_left)


async def a_page_arrives_twice(bench: Bench) -> None:
    """Let the relay die between XADD and mark: every event is on the stream twice."""
    events = [Rang(bell="a") for _ in range(5)]
    await subscribed(bench.database, ears())
    await ring(bench.database, *events)
    await bench.stream.append([("bells", Envelope.seal(event).to_json()) for event in events])
    await drained(bench)
    await relay_all(bench.database, bench.stream)
    await drained(bench)


async def a_worker_dies_in_the_handler(bench: Bench) -> None:
    reached = anyio.Event()

    async def hang(*_: object) -> None:
        reached.set()
        await anyio.sleep_forever()

    await subscribed(bench.database, ears())
    await ring(bench.database, Rang(bell="a"))
    await relay_all(bench.database, bench.stream)
    await bench.stream.ensure_groups(["bells"], "ears")
    async with bench.stream.reader(["bells"], "ears", "c1", block_s=0.1) as reader:
        entries = await reader.fresh(10)
        async with anyio.create_task_group() as process:
            process.start_soon(consumer(bench, ears(hang))._process, entries)
            await reached.wait()
            process.cancel_scope.cancel()
    await drained(bench)


async def a_lower_position_commits_later(bench: Bench) -> None:
    await subscribed(bench.database, ears())

    async def slow(session: AsyncSession) -> None:
        await outbox.publish(session, Rang(bell="slow"))

    async with holding(bench.database, slow):
        await ring(bench.database, Rang(bell="quick"))
        await relay_all(bench.database, bench.stream)
    async with bench.database.write():
        pass  # the holder's commit is over
    await relay_all(bench.database, bench.stream)
    await drained(bench)


async def the_engine_refuses_a_page(bench: Bench) -> None:
    await subscribed(bench.database, ears())
    await ring(bench.database, Rang(bell="a"))
    await bench.stream._redis.set(bench.stream.key("bells"), "no stream")
    with suppress(StreamError):
        await relay_all(bench.database, bench.stream)
    await lose(bench.stream, "bells")
    await relay_all(bench.database, bench.stream)
    await drained(bench)


async def the_first_start_comes_late(bench: Bench) -> None:
    await subscribed(bench.database, ears())
    await ring(bench.database, Rang(bell="before"))
    await relay_all(bench.database, bench.stream)
    await drained(bench)


async def a_backlog_waits_its_turn(bench: Bench) -> None:
    await subscribed(bench.database, ears())
    await bench.stream.ensure_groups(["bells"], "ears")
    await ring(bench.database, *[Rang(bell="a") for _ in range(20)])
    await relay_all(bench.database, bench.stream)
    await Reconcile(bench.database, bench.stream, ReconcilePolicy(after_s=0.0)).run_round()
    bench.seen.extend(one.name for one in await broken(bench.database, NOTHING_LOST))
    await drained(bench)


async def a_twin_succeeds_before_the_verdict(bench: Bench) -> None:
    async def fail(*_: object) -> None:
        raise PermanentError("not here")

    event = Rang(bell="a")
    await subscribed(bench.database, ears())
    await ring(bench.database, event)
    slow, twin = (Handling(bench.database, subscriber) for subscriber in (ears(fail), ears()))
    give_verdict = Handling._give_verdict

    async def late(self: Handling, *given: Any) -> None:  # noqa: ANN401 - as many as there are
        await twin.run([delivery(event, ears())], FromStream("ears"))
        await give_verdict(self, *given)

    bench.patch.setattr(Handling, "_give_verdict", late)
    await relay_all(bench.database, bench.stream)
    await slow.run([delivery(event, ears(fail))], FromStream("ears"))


async def two_orders_name_the_same_stock_the_other_way_round(bench: Bench) -> None:
    skus = [f"SKU-{number}" for number in range(6)]
    await stock(bench.database, **dict.fromkeys(skus, 9))
    one = request("o_1", **dict.fromkeys(skus, 1))
    other = request("o_2", **dict.fromkeys(reversed(skus), 1))

    async def hold_all(session: AsyncSession) -> None:
        await session.execute(select(StockLevel.sku).with_for_update())

    async with holding(bench.database, hold_all) as group:
        for asked in (one, other):
            group.start_soon(decided, bench.database, asked)
        await blocked(bench.database, 2)
    await relay_all(bench.database, bench.stream)


async def decided(database: Database, asked: Step) -> None:
    """Decide, and leave what comes of it to the checks."""
    with suppress(DBAPIError):
        await decide(database, asked)


@dataclass(frozen=True, slots=True)
class Case:
    """A schedule, where it runs, and the invariant that a bug breaks there."""

    schedule: Callable[[Bench], Awaitable[None]]
    breaks: str
    on: str = "sqlite"


DELIVERED = "every owed delivery is handled or a dead letter"
CASES = {
    "inbox off": Case(a_page_arrives_twice, "no effect was committed twice"),
    "ack before commit": Case(a_worker_dies_in_the_handler, DELIVERED),
    "cursor relay": Case(a_lower_position_commits_later, "no event waits for the relay", "pg18"),
    "mark before send": Case(the_engine_refuses_a_page, DELIVERED),
    "groups at the end": Case(the_first_start_comes_late, DELIVERED),
    "verdict without the key": Case(
        a_twin_succeeds_before_the_verdict, "no delivery is handled and dead"
    ),
    "time-only reconcile": Case(
        a_backlog_waits_its_turn, "nothing is called lost where nothing was"
    ),
    "unsorted stock locks": Case(
        two_orders_name_the_same_stock_the_other_way_round, NO_DEADLOCK, "pg18"
    ),
}


ON_ITS_DATABASE = pytest.mark.parametrize(
    ("closed_database", "name"),
    [(case.on, name) for name, case in CASES.items()],
    indirect=["closed_database"],
    ids=list(CASES),
)


@pytest.fixture
async def bench(
    database: Database, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> AsyncIterator[Bench]:
    await create_audit(database)
    if not database.single_writer:
        async with as_superuser(database) as connection:
            await connection.execute(text("SELECT pg_stat_reset()"))
    stream = Stream(valkey.url, prefix=own_prefix())
    yield Bench(database, stream, monkeypatch)
    await stream.close()


def test_every_planted_bug_has_a_case() -> None:
    assert set(CASES) == set(PLANTS)


@ON_ITS_DATABASE
async def test_a_planted_bug_is_caught(bench: Bench, name: str) -> None:
    PLANTS[name](bench.patch.setattr)

    await CASES[name].schedule(bench)

    async def seen() -> bool:
        return CASES[name].breaks in await bench.broken()

    # At once, but for the deadlocks: PostgreSQL counts them when it has time.
    await until(seen, timeout_s=5)


@ON_ITS_DATABASE
async def test_without_the_bug_the_same_schedule_breaks_nothing(bench: Bench, name: str) -> None:
    await CASES[name].schedule(bench)

    assert await bench.broken() == []
