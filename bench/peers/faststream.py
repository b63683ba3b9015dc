"""FastStream on Redis Streams: `python -m bench.peers.faststream work one|many|batch`, or `feed`.

From its documentation: a subscriber of a stream's group, acknowledged when its handler ends
(AckPolicy.REJECT_ON_ERROR, the default); `max_workers` for concurrency (`one` is the default,
`many` 16); `batch=True` with max_records for the batch mode, whose handler is the Core one of
`handler.py`.
"""

import json
import sys
from typing import Any

from faststream import FastStream
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench.peers.handler import Created, events, reserve, reserve_batch
from bench.peers.serving import (
    database_url,
    redis_url,
    run,
    say_ready,
    spare_the_collector,
    wait_for_leave,
)

STREAM, GROUP, BATCH = "order-stream", "inventory", 500


async def work(kind: str) -> None:
    """Consume until told to end."""
    broker = RedisBroker(redis_url(), logger=None)
    engine = create_async_engine(database_url(), pool_size=16, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    if kind == "batch":

        @broker.subscriber(stream=_stream(batch=True))
        async def on_batch(batch: list[Created]) -> None:
            await reserve_batch(engine, batch)

    else:

        @broker.subscriber(stream=_stream(), max_workers=16 if kind == "many" else None)
        async def on_event(event: Created) -> None:
            await reserve(sessions, event)

    app = FastStream(broker, logger=None)

    @app.after_startup
    async def started() -> None:
        spare_the_collector()
        say_ready()

    await app.run()
    await engine.dispose()


def _stream(**more: Any) -> StreamSub:  # noqa: ANN401 - StreamSub's own options
    return StreamSub(
        STREAM, group=GROUP, consumer="bench", max_records=BATCH, polling_interval=1000, **more
    )


async def feed(count: int) -> None:
    """Lay out so many events, in the form that FastStream takes from others than itself."""
    redis = Redis.from_url(redis_url())
    async with redis.pipeline(transaction=False) as pipe:
        for event in events(count):
            pipe.xadd(STREAM, {"__data__": json.dumps(event)})
        wait_for_leave()
        await pipe.execute()
    await redis.aclose()


if __name__ == "__main__":
    run(work(sys.argv[2]) if sys.argv[1] == "work" else feed(int(sys.argv[3])))
