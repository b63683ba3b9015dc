"""The flow: every part of it is told, and telling costs the same however much there is."""

import json

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.consumer import Consumer
from app.bus.engine import Engine
from app.bus.flow import Flow, SubscriberFlow, look
from app.bus.monitor import Monitor, MonitorPolicy, rates
from app.bus.pause import pause
from app.bus.reading import COUNTED, ends, read
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.standing import standings
from app.bus.stream import Stream
from app.bus.supervise import LoopHealth
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.plans import explained, rows_touched, searched
from tests.bus.sample import (
    QUICK,
    Effects,
    Rang,
    listening,
    relay_all,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)
from tests.bus.test_backlog import waiting
from tests.least_privilege import admin_url

__all__ = ["waiting"]  # a fixture

NOWHERE = "unix:///nowhere/s"


async def flow_of(database: Database, stream: Stream) -> tuple[Flow, SubscriberFlow]:
    """Return the flow and its one subscriber."""
    flow = await look(database, stream, cap=3)
    [ears] = flow.subscribers
    return flow, ears


async def kept(stream: Stream) -> str:
    """Return how the engine keeps its data, as its operator would ask it."""
    async with Redis.from_url(admin_url(stream), decode_responses=True) as engine:
        logs = (await engine.config_get("appendonly"))["appendonly"] == "yes"
        saves = (await engine.info("persistence")).get("rdb_saves")
    return "aof" if logs else "rdb" if saves else "none"


async def test_each_place_an_event_comes_to_is_told(database: Database, stream: Stream) -> None:
    await subscribed(database, listening(Effects()))
    await stream.ensure_groups(["bells"], "ears")
    await ring(database, *(Rang(bell="a") for _ in range(3)))
    waiting_, before = await flow_of(database, stream)
    await relay_all(database, stream)
    published, unread = await flow_of(database, stream)
    async with stream.reader(["bells"], "ears", "c1", block_s=0.2) as reader:
        await reader.fresh(2)
    _, given = await flow_of(database, stream)
    async with running(Consumer(database, stream, listening(Effects()), "c1", QUICK)):
        await until_handled(database, "ears", 3)
        await until(lambda: acknowledged(database, stream))
    await Reconcile(database, stream, ReconcilePolicy(after_s=0)).run_round()
    _, handled = await flow_of(database, stream)

    assert (waiting_.outbox.unpublished, waiting_.outbox.unpublished_capped) == (3, False)
    assert (waiting_.outbox.oldest_age_s or 0) >= 0
    assert (before.lag, before.pending, before.oldest_age_s) == (0, 0, None)
    assert (published.outbox.unpublished, published.outbox.oldest_age_s) == (0, None)
    assert [(one.context, one.length, one.paused) for one in published.streams] == [
        ("bells", 3, True)
    ]
    assert (unread.lag, unread.pending, unread.last_read_s) == (3, 0, None)
    assert (given.lag, given.pending) == (1, 2)
    assert (given.oldest_age_s or 0) > 0
    assert (handled.lag, handled.pending, handled.oldest_age_s) == (0, 0, None)
    assert (handled.critical_time_s or 0) > 0
    assert (handled.types, handled.streams) == ([Rang.type], ["bells"])


async def acknowledged(database: Database, stream: Stream) -> bool:
    _, ears = await flow_of(database, stream)
    return (ears.lag, ears.pending) == (0, 0)


async def test_what_was_given_up_paused_or_stands_is_told(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, listening(Effects(), "eyes"))
    await dead(database, Ears(), *(Rang(bell="a", volume=LOUD) for _ in range(3)))
    async with database.write() as session:
        await pause(session, "ears", who="ann", reason="too loud")
    loops = [
        LoopHealth("relay", "running", 0.1, None),
        LoopHealth("trim", "waiting", 0.1, "no room"),
        LoopHealth("consumer:ears", "waiting", 0.1, "paused by ann: too loud"),
    ]

    flow = await look(database, stream, cap=100, loops=loops)

    ears, eyes = flow.subscribers
    assert (ears.dead, ears.dead_capped, ears.due) == (3, False, 0)
    assert (eyes.dead, eyes.due, eyes.paused, eyes.held_back) == (0, 0, None, None)
    assert ears.paused is not None
    assert (ears.paused.who, ears.held_back) == ("ann", "paused by ann: too loud")
    assert flow.warnings == [
        "ears is paused by ann: too loud",
        "No worker reads for eyes: run one, or unregister it.",
        "trim is waiting: no room",
    ]
    assert flow.engine is not None
    assert (flow.engine.persistence, flow.engine.policy) == (await kept(stream), "noeviction")
    assert flow.database.kind == ("sqlite" if database.single_writer else "postgresql")


async def test_an_engine_that_is_away_is_a_warning_and_our_positions_tell_the_lag(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, listening(Effects()))
    await stream.ensure_groups(["bells"], "ears")
    await ring(database, *(Rang(bell="a") for _ in range(3)))
    await relay_all(database, stream)
    away = Stream(NOWHERE)

    flow, ears = await flow_of(database, away)
    async with running(Consumer(database, stream, listening(Effects()), "c1", QUICK)):
        await until_handled(database, "ears", 3)
    _, handled = await flow_of(database, away)

    assert (flow.engine, flow.streams) == (None, [])
    assert (ears.pending, ears.last_read_s) == (None, None)
    assert (ears.lag, handled.lag) == (3, 0)
    assert [one.partition(":")[0] for one in flow.warnings] == ["The stream engine does not answer"]


async def test_the_monitor_tells_rates_and_remembers(database: Database, stream: Stream) -> None:
    await subscribed(database, listening(Effects()))
    await stream.ensure_groups(["bells"], "ears")
    monitor = Monitor(database, stream, MonitorPolicy(every_s=0.05, keep_s=0.5))
    first = await read(database, stream)
    await ring(database, *(Rang(bell="a") for _ in range(10)))
    await relay_all(database, stream)
    second = await read(database, stream)
    assert monitor.history() == []
    assert monitor.rates(second).recorded is None

    async with running(monitor, Consumer(database, stream, listening(Effects()), "c1", QUICK)):
        await until(lambda: full(monitor))
        flow = await look(database, stream, cap=100, monitor=monitor)

    between, seconds = rates(first, second), second.taken_s - first.taken_s
    assert between.recorded == between.published == round(10 / seconds, 3)
    assert between.added == {"bells": round(10 / seconds, 3)}
    assert between.handled == {"ears": 0.0}
    assert rates(second, first).added == {"bells": None}
    assert flow.intake.recorded_per_s == flow.outbox.published_per_s == 0.0
    assert flow.history[-1].lag == {"ears": 0}
    assert [one.at for one in flow.history] == sorted(one.at for one in flow.history)


async def full(monitor: Monitor) -> bool:
    return len(monitor.history()) == 10


async def test_looking_costs_the_same_however_much_there_is(waiting: Database) -> None:
    async with (
        waiting.writer.connect() as connection,
        AsyncSession(connection) as session,
        explained(waiting, session) as plans,
    ):
        known = await ends(session)
        ears = (await standings(session))["ears"]

    assert (ears.due, ears.due_capped, ears.dead) == (COUNTED + 1, True, 5_000)
    assert (known.unpublished, known.unpublished_capped) == (5_010, False)
    for plan in plans:
        shown = json.dumps(plan, indent=1)
        if waiting.single_writer:
            # Through the index of what is unpublished, as far as is counted.
            left = [one for one in plan if "ix_outbox_unpublished" not in one]
            assert not searched(left), shown
        else:
            assert not searched(plan), shown
            assert rows_touched(plan) <= COUNTED + 1 + 5_000, shown


def test_an_engine_that_drops_streams_or_is_full_is_a_warning() -> None:
    fit = Engine(
        kind="valkey",
        version="8.0.1",
        persistence="aof",
        policy="volatile-lru",
        used_memory_bytes=80,
        max_memory_bytes=100,
    )
    unfit = Engine(
        kind=None,
        version=None,
        persistence=None,
        policy="allkeys-lru",
        used_memory_bytes=95,
        max_memory_bytes=100,
    )

    assert fit.warnings == []
    assert [one.partition(" ")[2][:20] for one in unfit.warnings] == [
        "is allkeys-lru, whic",
        "stream engine's memo",
        "stream engine does n",
    ]
