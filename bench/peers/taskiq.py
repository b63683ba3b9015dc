"""taskiq on Redis Streams: `python -m bench.peers.taskiq work`, or `feed - N`.

From its documentation: the stream broker, which acknowledges (the list one does not), one worker
process with 100 tasks at a time and messages acknowledged when they were executed; no result
backend, because nobody asks for results.
"""

import asyncio
import os
import sys

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

from bench.peers.handler import Created, events, reserve
from bench.peers.serving import (
    database_url,
    redis_url,
    say_ready,
    spare_the_collector,
    wait_for_leave,
)

broker = RedisStreamBroker(redis_url(), consumer_id="0")
engine = create_async_engine(database_url(), pool_size=32, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@broker.task(task_name="reserve")
async def reserve_stock(event: Created) -> None:
    """Handle one event."""
    await reserve(sessions, event)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def started(_: TaskiqState) -> None:
    """Say so."""
    spare_the_collector()
    say_ready()


async def feed(count: int) -> None:
    """Lay out so many events."""
    await broker.startup()
    made = events(count)
    wait_for_leave()
    for event in made:
        await reserve_stock.kicker().kiq(event)
    await broker.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "feed":
        asyncio.run(feed(int(sys.argv[3])))
    else:
        worker = ["taskiq", "worker", "bench.peers.taskiq:broker", "--workers", "1"]
        more = ["--max-async-tasks", "100", "--log-level", "ERROR", "--ack-type", "when_executed"]
        os.execv(sys.executable, [sys.executable, "-m", *worker, *more])
