"""A worker of its own process, whose handler kills that process when it meets the poison.

python poison_worker.py DATABASE_URL STREAM_URL PREFIX CONSUMER single|batch
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app import db
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, Supervisor
from tests.bus.sample import Effects, Rang

POISON = "poison"
KILLED = 9

POLICY = ConsumerPolicy(batch=10, block_s=0.1, claim_idle_s=0.2, reclaim_every_s=0.05)
DUE = DuePolicy(page=10, poll_s=0.05, lease_s=0.5)


def open_database(url: str) -> db.Database:
    """Open either kind of database."""
    parsed = make_url(url)
    if parsed.database is not None and parsed.drivername.startswith("sqlite"):
        return db.sqlite(Path(parsed.database))
    return db.postgresql(url)


def fatal_ears(*, batch: bool) -> Subscriber:
    """Return a subscriber that records what it hears, and dies of poison."""
    ears, effects = Subscriber("ears"), Effects()

    async def hear(event: Rang, session: AsyncSession) -> None:
        await effects(event, session)
        if event.bell == POISON:
            os._exit(KILLED)

    async def hear_all(events: Sequence[Rang], session: AsyncSession) -> None:
        for event in events:
            await hear(event, session)

    if batch:
        ears.on(Rang, batch=True)(hear_all)
    else:
        ears.on(Rang)(hear)
    return ears


async def work(database_url: str, stream_url: str, prefix: str, consumer: str, kind: str) -> None:
    """Consume until killed."""
    database, stream = open_database(database_url), Stream(stream_url, prefix=prefix)
    ears = fatal_ears(batch=kind == "batch")
    loops: list[Loop] = [
        Consumer(database, stream, ears, consumer, POLICY),
        DueDeliveries(database, ears, policy=DUE),
    ]
    await Supervisor(loops, lambda: os._exit(1)).run()


if __name__ == "__main__":
    _, database_url, stream_url, prefix, consumer, kind = sys.argv
    anyio.run(work, database_url, stream_url, prefix, consumer, kind)
