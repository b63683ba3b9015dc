"""The floor of any consumer: redis-py reads a hundred and acknowledges them, and nothing else.

`python -m bench.peers.floor EVENTS`, as one step, and as a second one with the JSON parsed.
"""

import json
import sys
from typing import Any

from redis.asyncio import Redis

from bench.peers.handler import events
from bench.peers.serving import redis_url, run, spare_the_collector
from bench.steps import measured

STREAM, GROUP = "order-stream", "floor"


async def main(count: int) -> None:
    """Measure both."""
    redis = Redis.from_url(redis_url(), decode_responses=True)
    texts = [json.dumps(event) for event in events(count)]
    for name in ("read and acknowledge", "the same, JSON parsed"):
        await redis.delete(STREAM)
        await redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
        for first in range(0, count, 500):
            async with redis.pipeline(transaction=False) as pipe:
                for text in texts[first : first + 500]:
                    pipe.xadd(STREAM, {"event": text})
                await pipe.execute()
        spare_the_collector()
        with measured(name) as step:
            while step.units < count:
                reply: Any = await redis.xreadgroup(GROUP, "one", {STREAM: ">"}, count=100)
                [[_, entries]] = reply
                if name != "read and acknowledge":
                    for _, fields in entries:
                        json.loads(fields["event"])
                await redis.xack(STREAM, GROUP, *(each for each, _ in entries))
                step.units += len(entries)
    await redis.aclose()


if __name__ == "__main__":
    run(main(int(sys.argv[1])))
