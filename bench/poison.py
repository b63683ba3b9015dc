"""What poison costs its neighbours: a consumer and its due loop on a stream with bad events in it.

The rate of neighbours is that of the whole stream: events acknowledged per second, bad ones
included, against the same stream without bad events, which runs just before. 100 % says that a
good event waits for its turn no longer than if every event before it were good. "By CPU" is the
same ratio in seconds of CPU of this process, which other work on the machine disturbs less; on
SQLite the database's work is in it. The handlers do what those of a saga do at least: a row and the
next event for each good event. Retries count as far as they fall in the run: they earn the due loop
rest, so that a longer one holds no larger share of them. There is one bad event at least. Event
loop, garbage collection and log are as a served process has them.

python bench/poison.py [--database sqlite|postgresql] [--events 10000] [--runs 3]
"""

import argparse
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from uuid import uuid4

import anyio
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

sys.path.insert(0, str(Path(__file__).parents[1]))

from app import db, schema
from app.bus import inbox, outbox
from app.bus.consumer import Consumer
from app.bus.due import DueDeliveries
from app.bus.event import Event
from app.bus.relay import Relay
from app.bus.subscriber import Failed, Subscriber
from app.bus.supervise import Supervisor
from app.bus.tables import inbox as inbox_table
from app.bus.wakeup import WakeUp
from app.settings import Settings
from bench.parts import CountingStream
from bench.peers.serving import spare_the_collector
from tests.postgres import PostgresServer
from tests.valkey import ValkeyServer


class Rang(Event):
    """A bell rang, or was cracked."""

    type = "bells.bell_rang.v1"
    subject_field = "bell"

    bell: str
    cracked: bool


class Echoed(Event):
    """The bell was heard."""

    type = "ears.bell_echoed.v1"
    subject_field = "bell"

    bell: str


@dataclass(frozen=True)
class Case:
    """A share of bad events, and how their handler tells."""

    handler: str
    bad: str
    share: float


CASES = [
    *(Case("single", "raises", share) for share in (0.0001, 0.003, 0.05)),
    *(Case("batch", "raises", share) for share in (0.0001, 0.003, 0.05)),
    *(Case("batch", "returned", share) for share in (0.01, 0.1, 0.5, 0.9)),
]


def listener(case: Case) -> Subscriber:
    """Return a subscriber that writes a row and publishes an event per good event."""
    ears = Subscriber("ears")

    async def hear(event: Rang, session: AsyncSession) -> None:
        if event.cracked:
            raise ValueError(event.bell)
        await session.execute(inbox_table.insert().values(subscriber="effects", event_id=event.id))
        await outbox.publish(session, Echoed(bell=event.bell))

    async def hear_all(events: Sequence[Rang], session: AsyncSession) -> list[Failed[Rang]]:
        cracked = [event for event in events if event.cracked]
        if cracked and case.bad == "raises":
            raise ValueError(cracked[0].bell)
        good = [event for event in events if not event.cracked]
        if good:
            rows = [{"subscriber": "effects", "event_id": event.id} for event in good]
            await session.execute(inbox_table.insert(), rows)
            await outbox.publish(session, *(Echoed(bell=event.bell) for event in good))
        return [Failed(event, "cracked") for event in cracked]

    if case.handler == "single":
        ears.on(Rang)(hear)
    else:
        ears.on(Rang, batch=True)(hear_all)
    return ears


async def measure(database: db.Database, url: str, case: Case, events: int) -> tuple[float, float]:
    """Return seconds and seconds of CPU until every event of a fresh stream is acknowledged."""
    ears, bad = listener(case), math.ceil(case.share * events)
    every = events // bad if bad else events + 1
    cracked = {number for number in range(events) if number % every == every // 2}
    if case.share > 0.5:
        cracked = {number for number in range(events) if number % 10}
    stream = CountingStream(url, uuid4().hex)
    async with database.write() as session:
        await inbox.subscribe(session, [ears])
        for table in ("inbox", "delivery", "outbox"):
            await (await session.connection()).exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names from above
        await outbox.publish(
            session, *(Rang(bell=str(one), cracked=one in cracked) for one in range(events))
        )
    relay = Relay(database, stream, WakeUp())
    while await relay.publish_page():
        pass
    stream.expect(events)
    consumer = Consumer(database, stream, ears, "bench")
    due = DueDeliveries(database, ears, backlog=consumer.backlog)
    loops = Supervisor([consumer, due], lambda: None)
    began, cpu = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as group:
        group.start_soon(loops.run)
        await stream.pulse.sleep(600)
        spent = time.perf_counter() - began, time.process_time() - cpu
        loops.stop()
    await stream.close()
    return spent


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[db.Database]:
    """Open a migrated database of a kind."""
    with tempfile.TemporaryDirectory() as directory, server(kind) as url:
        values = {"DATABASE_URL": url, "REDIS_URL": "redis://unused"} if url else {}
        await schema.migrate(Settings.model_validate({"data": Path(directory), **values}))
        database = db.postgresql(url) if url else db.sqlite(Path(directory) / "orderly.db")
        yield database
        await database.close()


@contextmanager
def server(kind: str) -> Iterator[str | None]:
    """Run a PostgreSQL server, if that is wanted, and give the URL of a database there."""
    if kind == "sqlite":
        yield None
        return
    postgres = PostgresServer(18)
    postgres.start()
    yield postgres.create_database()
    postgres.stop()


async def main(kind: str, events: int, runs: int) -> None:
    """Print a table: the rate of neighbours in time and in CPU, and what each of them cost."""
    print(f"{kind}, {events:,} events, median of {runs} runs")
    print(f"{'handler':8} {'bad events':16} {'rate':>6} {'by CPU':>8} {'µs CPU per event':>18}")
    valkey = ValkeyServer()
    valkey.start()
    async with opened(kind) as database:
        await measure(database, valkey.url, CASES[0], 500)
        spare_the_collector()
        for case in CASES:
            pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
            for _ in range(runs):
                none = await measure(database, valkey.url, replace(case, share=0), events)
                pairs.append((none, await measure(database, valkey.url, case, events)))
            rate = median(none[0] / with_bad[0] for none, with_bad in pairs)
            by_cpu = median(none[1] / with_bad[1] for none, with_bad in pairs)
            cpu_us = [median(run[place][1] for run in pairs) * 1e6 / events for place in (0, 1)]
            what = f"{case.share:.2%} {case.bad}"
            spent = f"{cpu_us[0]:.0f} -> {cpu_us[1]:.0f}"
            print(f"{case.handler:8} {what:16} {rate:6.0%} {by_cpu:8.0%} {spent:>18}", flush=True)
    valkey.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    # The log as a served process writes it, kept off the terminal.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(Path(os.devnull).open("w")),  # noqa: SIM115 - until the end
    )
    options = {"use_uvloop": True}
    anyio.run(main, given.database, given.events, given.runs, backend_options=options)
