"""Orders whose events no handler of the tasters survives, and who those are.

The tasters listen beside the two modules and do nothing but record that they heard an event;
what a poison does to them must cost that event alone: it becomes a dead letter and its neighbours
are handled.
"""

import os
import time
from collections.abc import Sequence

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.retry import RetryPolicy
from app.bus.subscriber import Failed, Subscriber
from app.db import Database
from app.modules.orders.events import OrderCreated
from tests.faults.audit import note

RAISES, RETURNS, KILLS, HANGS, BLOCKS = (
    f"POISON-{what}" for what in ("RAISES", "RETURNS", "KILLS", "HANGS", "BLOCKS")
)
KILLED = 77
"""How a process ends that a poison has killed."""

BLOCK_S = 7.0
"""Longer than the watchdog waits until it calls the event loop blocked."""

SINGLE, BATCH = "taster", "batch-taster"
HARMED = {
    RAISES: (SINGLE, BATCH),
    RETURNS: (BATCH,),
    KILLS: (SINGLE,),
    HANGS: (SINGLE,),
    BLOCKS: (SINGLE,),
}
"""The subscribers for which an event of each poison ends as a dead letter; no other does."""

_RETRY = RetryPolicy(max_attempts=3, first_s=0.2, most_s=1.0)


def tasters() -> list[Subscriber]:
    """Return the subscribers that poison harms: one takes event by event, the other batches."""
    single, batch = Subscriber(SINGLE), Subscriber(BATCH)

    @single.on(OrderCreated, retry=_RETRY, timeout_s=1.0)
    async def taste(event: OrderCreated, session: AsyncSession) -> None:
        await note(session, SINGLE, event)  # what raises must leave no trace
        for line in event.lines:
            if line.sku == RAISES:
                raise ZeroDivisionError
            if line.sku == KILLS:
                os._exit(KILLED)
            if line.sku == HANGS:
                await anyio.sleep_forever()
            if line.sku == BLOCKS:
                time.sleep(BLOCK_S)  # noqa: ASYNC251 - the poison
                raise ZeroDivisionError

    @batch.on(OrderCreated, batch=True, retry=_RETRY)
    async def taste_all(
        events: Sequence[OrderCreated], session: AsyncSession
    ) -> Sequence[Failed[OrderCreated]]:
        found = {event.id: {line.sku for line in event.lines} for event in events}
        failed = [Failed(one, "poison") for one in events if RETURNS in found[one.id]]
        await note(session, BATCH, *(one for one in events if RETURNS not in found[one.id]))
        if any(RAISES in skus for skus in found.values()):
            raise ZeroDivisionError
        return failed

    return [single, batch]


async def dead_letters_differ(database: Database) -> list[str]:
    """Return which deliveries are dead letters without poison, or poisoned and no dead letter."""
    poisoned = text(
        "SELECT order_lines.sku, CAST(outbox.event_id AS VARCHAR(36)) FROM outbox"  # noqa: S608
        " JOIN order_lines ON order_lines.order_id = outbox.subject"
        f" WHERE outbox.type = '{OrderCreated.type}' AND order_lines.sku LIKE 'POISON-%'"
    )
    given_up = text(
        "SELECT subscriber, CAST(event_id AS VARCHAR(36)), state, error FROM delivery"
        " WHERE state <> 'due'"
    )
    async with database.snapshot() as session:
        wanted = {
            (subscriber, event_id)
            for sku, event_id in await session.execute(poisoned)
            for subscriber in HARMED[sku]
        }
        found = {(row[0], row[1]): f"{row[2]}: {row[3]}" for row in await session.execute(given_up)}
    differ = [
        f"dead without poison: {key} {why}" for key, why in found.items() if key not in wanted
    ]
    differ += [f"poisoned and no dead letter: {key}" for key in wanted if key not in found]
    differ += [f"not dead: {key} {why}" for key, why in found.items() if not why.startswith("dead")]
    return sorted(differ)
