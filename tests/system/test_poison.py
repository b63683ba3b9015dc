"""Poison that kills the process: five lives at most, and the neighbours lose nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.bus import inbox
from app.bus.stream import Stream
from app.bus.verdict import DeadLettered
from app.db import Database
from tests.bus.owing import published
from tests.bus.sample import Rang, delivery_rows, handled_count, relay_all, ring
from tests.least_privilege import own_prefix
from tests.starter import ROOT, Started, clean_environment, starter
from tests.system import poison_worker
from tests.system.poison_worker import KILLED, POISON, fatal_ears
from tests.valkey import ValkeyServer

LIVES = 12


@contextmanager
def worker(*words: str) -> Iterator[Started]:
    """Run a worker in a process of its own for the length of the block."""
    process = starter().start(poison_worker.__name__, words, ROOT, clean_environment({}), (1, 2))
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(
    ("closed_database", "kind", "name", "poisons"),
    [
        ("sqlite", "single", "always-the-same", 1),
        ("pg16", "batch", "always-the-same", 1),
        ("pg18", "single", "new-each-time", 2),
    ],
    indirect=["closed_database"],
)
async def test_poison_that_kills_is_a_dead_letter_after_five_lives(
    database: Database, valkey: ValkeyServer, kind: str, name: str, poisons: int
) -> None:
    prefix = own_prefix()
    events = [Rang(bell="a") for _ in range(25)]
    for place in range(poisons):
        events[3 + 4 * place] = Rang(bell=POISON)
    async with database.write() as session:
        await inbox.subscribe(session, [fatal_ears(batch=kind == "batch")])
    await ring(database, *events)
    stream = Stream(valkey.url, prefix=prefix)
    await relay_all(database, stream)
    await stream.close()
    database_url = database.writer.url.render_as_string(hide_password=False)

    async def settled() -> bool:
        dead = [row for row in await delivery_rows(database) if row.state == "dead"]
        return len(dead) == poisons and await handled_count(database, "ears") == 25 - poisons

    kills, deadline = 0, time.monotonic() + 60
    while not await settled() and kills < LIVES:
        consumer = name if name == "always-the-same" else f"worker-{kills}"
        with worker(database_url, valkey.url, prefix, consumer, kind) as process:
            while process.poll() is None and not await settled():
                assert time.monotonic() < deadline
                time.sleep(0.02)  # noqa: ASYNC251 - the worker is another process
            if process.returncode is not None:
                assert process.returncode == KILLED
                kills += 1

    rows = await delivery_rows(database)
    assert {row.event_id for row in rows} == {one.id for one in events if one.bell == POISON}
    assert {(row.state, row.error_type) for row in rows} == {("dead", "Unfinished")}
    # The batch that holds them all dies twice, the dozen they are in once, and each alone twice.
    assert kills == 3 + 2 * poisons
    assert await handled_count(database, "effects") == 25 - poisons
    assert len(await published(database, DeadLettered)) == poisons
