"""The way of an order through our loops, each part run alone in this process.

`python -m bench.parts ORDERS [relay]`, as steps; with `relay` the first of them alone. The orders
wait in the outbox. BENCH_DATABASE and BENCH_STREAM are URLs; when the first is empty, the database
is the embedded one of the working directory.
"""

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from app import db
from app.bus import inbox
from app.bus.consumer import Consumer
from app.bus.relay import Relay
from app.bus.stream import Entry, Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse
from app.bus.wakeup import WakeUp
from app.db import Database
from app.main import SUBSCRIBERS
from app.settings import Settings
from app.telemetry import configure_logging
from bench.peers.serving import database_url, redis_url, spare_the_collector
from bench.steps import measured


class CountingStream(Stream):
    """Stops a consumer once enough entries are acknowledged; nothing has to ask meanwhile."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, prefix=prefix)
        self.acknowledged = self.batches = self.enough = 0
        self.pulse = Pulse("bench")

    def expect(self, entries: int) -> Pulse:
        """Start counting, and return the pulse that stops after so many."""
        self.acknowledged, self.batches, self.enough = 0, 0, entries
        self.pulse = Pulse("bench")
        return self.pulse

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Acknowledge and count."""
        await super().ack(group, entries)
        self.acknowledged += len(entries)
        self.batches += 1
        if self.acknowledged >= self.enough:
            self.pulse.stop()


async def run(orders: int, *, relay_only: bool) -> None:
    """Take the orders that wait the whole way, or to the stream, one part after the other."""
    settings = Settings.model_validate({"log_format": "json"})
    configure_logging(settings)
    embedded = database_url() == ""
    database = (
        db.sqlite(Path("var/orderly.db"))
        if embedded
        else db.postgresql(database_url(), timeouts=settings.timeouts)
    )
    stream = CountingStream(redis_url(), "parts")
    by_name = {subscriber.name: subscriber for subscriber in SUBSCRIBERS}
    consume = functools.partial(_consume, database, stream, orders=orders)
    try:
        async with database.write() as session:
            await inbox.subscribe(session, SUBSCRIBERS)
        spare_the_collector()
        await _relay(database, stream, "relay order_created", orders)
        if relay_only:
            return
        await consume("inventory decides", by_name["inventory"])
        await _relay(database, stream, "relay stock_reserved", orders)
        await consume("orders settles", by_name["orders"])
        await _relay(database, stream, "relay order_confirmed", orders)
        # These orders confirm themselves: their units are promised already.
        await consume("inventory hears order_confirmed", by_name["inventory"])
    finally:
        await stream.close()
        await database.close()


async def _relay(database: Database, stream: Stream, part: str, orders: int) -> None:
    relay = Relay(database, stream, WakeUp())
    with measured(part) as step:
        while sent := await relay.publish_page():
            step.units += sent
    if step.units != orders:
        raise RuntimeError(f"{part}: {step.units} events for {orders} orders")


async def _consume(
    database: Database, stream: CountingStream, part: str, subscriber: Subscriber, *, orders: int
) -> None:
    consumer = Consumer(database, stream, subscriber, "bench")
    pulse = stream.expect(orders)
    with measured(part) as step, anyio.fail_after(120):
        await consumer.run(pulse)
        step.units = orders
        step.more["in a batch"] = orders / stream.batches


if __name__ == "__main__":
    call = functools.partial(run, int(sys.argv[1]), relay_only="relay" in sys.argv)
    anyio.run(call, backend_options={"use_uvloop": True})
