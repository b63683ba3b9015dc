"""Relays to compare ours with: `python -m bench.peers.relays rows|pages|loop EVENTS`, as one step.

rows is what most tutorials show: the oldest row by the ORM, XADD, mark, commit, row by row. pages
is that with pages of 100 and one commit for each. loop has no database at all: redis-py pipelines
of 500 XADDs, which is as fast as a relay through redis-py can be.
"""

import sys
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peers.serving import database_url, redis_url, run, spare_the_collector
from bench.peers.tables import Outbox, plain
from bench.steps import measured

STREAM = "order-stream"
PAYLOAD = '{"data":"' + "x" * 600 + '"}'
"""As long as one of our envelopes."""


async def relay_rows(sessions: async_sessionmaker[AsyncSession], redis: "Redis", page: int) -> int:
    """Publish what waits, so many rows per commit, and return how many there were."""
    sent = 0
    oldest = select(Outbox).where(Outbox.published_at.is_(None)).order_by(Outbox.id).limit(page)
    while True:
        async with sessions.begin() as session:
            rows = (await session.scalars(oldest.with_for_update(skip_locked=True))).all()
            if not rows:
                return sent
            for row in rows:
                await redis.xadd(STREAM, {"event": row.payload})
                row.published_at = datetime.now(UTC)
                sent += 1


async def _from_database(name: str, events: int) -> None:
    connection = await asyncpg.connect(plain(database_url()))
    rows = [(uuid4(), "orders.order_created", PAYLOAD) for _ in range(events)]
    await connection.copy_records_to_table(
        "outbox", records=rows, columns=["event_id", "type", "payload"]
    )
    await connection.execute("ANALYZE outbox")
    await connection.close()
    engine = create_async_engine(database_url())
    redis = Redis.from_url(redis_url())
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    # The first statements of each kind compile.
    warm = sessions()
    await warm.scalars(select(Outbox).limit(1))
    await warm.close()
    spare_the_collector()
    with measured(name) as step:
        step.units = await relay_rows(sessions, redis, 1 if name == "rows" else 100)
    await redis.aclose()
    await engine.dispose()


async def _loop(events: int) -> None:
    redis = Redis.from_url(redis_url())
    await redis.ping()
    spare_the_collector()
    with measured("loop") as step:
        for _ in range(events // 500):
            async with redis.pipeline(transaction=True) as pipe:
                for _ in range(500):
                    pipe.xadd(STREAM, {"event": PAYLOAD})
                await pipe.execute()
        step.units = events // 500 * 500
    await redis.aclose()


if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    run(_loop(count) if kind == "loop" else _from_database(kind, count))
