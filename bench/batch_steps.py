"""The same hops at several batch sizes, each run alone in this process.

`python -m bench.batch_steps SIZE:COUNT… [--hot]`, as steps: so many of the orders that wait go each
hop in batches of that size. With --hot only inventory decides. BENCH_DATABASE and BENCH_STREAM are
URLs.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from app import db
from app.bus import inbox
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.relay import Relay, RelayPolicy
from app.bus.subscriber import Subscriber
from app.bus.wakeup import WakeUp
from app.db import Database
from app.main import SUBSCRIBERS
from app.settings import Settings
from app.telemetry import configure_logging
from bench.parts import CountingStream
from bench.peers.serving import database_url, redis_url, spare_the_collector
from bench.steps import measured

Sizes = Sequence[tuple[int, int]]
"""Batch sizes, and how many events to take in batches of each."""


@dataclass(frozen=True)
class Hops:
    """What a hop runs on."""

    database: Database
    stream: CountingStream
    sizes: Sizes

    async def relay(self, name: str) -> None:
        """Publish what waits, a part of it in pages of each size."""
        for size, count in self.sizes:
            relay = Relay(self.database, self.stream, WakeUp(), RelayPolicy(page=size))
            with measured(f"{name}, {size}") as step:
                while step.units < count:
                    step.units += await relay.publish_page()
                step.more["in a batch"] = size

    async def consume(self, name: str, subscriber: Subscriber) -> None:
        """Handle what is on the stream, a part of it in batches of each size."""
        for size, count in self.sizes:
            policy = ConsumerPolicy(batch=size)
            consumer = Consumer(self.database, self.stream, subscriber, "bench", policy)
            pulse = self.stream.expect(count)
            with measured(f"{name}, {size}") as step, anyio.fail_after(120):
                await consumer.run(pulse)
                step.units = self.stream.acknowledged
                step.more["in a batch"] = step.units / self.stream.batches


async def run(sizes: Sizes, *, hot: bool) -> None:
    """Take the orders that wait from the outbox until they are confirmed, hop by hop."""
    settings = Settings.model_validate({"log_format": "json"})
    configure_logging(settings)
    database = db.postgresql(database_url(), timeouts=settings.timeouts)
    stream = CountingStream(redis_url(), "batches")
    by_name = {subscriber.name: subscriber for subscriber in SUBSCRIBERS}
    hops = Hops(database, stream, sizes)
    try:
        async with database.write() as session:
            await inbox.subscribe(session, SUBSCRIBERS)
        spare_the_collector()
        await hops.relay("relay")
        await hops.consume("inventory decides", by_name["inventory"])
        if not hot:
            await hops.relay("relay again")
            await hops.consume("orders settles", by_name["orders"])
            await hops.relay("relay at last")
            await hops.consume("inventory passes over", by_name["inventory"])
    finally:
        await stream.close()
        await database.close()


def _size(word: str) -> tuple[int, int]:
    size, _, count = word.partition(":")
    return int(size), int(count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=_size)
    parser.add_argument("--hot", action="store_true")
    asked = parser.parse_args()

    async def main() -> None:
        """Do what the command line asks for."""
        await run(asked.sizes, hot=asked.hot)

    anyio.run(main, backend_options={"use_uvloop": True})
