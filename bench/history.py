"""What a long history costs: `python -m bench.history ROWS...`, each number of rows as two steps.

The outbox and both inboxes of BENCH_DATABASE are filled with so many events that were published and
handled an hour ago, beside 500 that wait. Then the relay's page is read, and reconcile looks at the
last stretch of the log, as it does every few seconds.
"""

import sys

import anyio
from sqlalchemy import text

from app import db
from app.bus import outbox, settled
from app.bus.reconcile import ReconcilePolicy
from app.db import Database
from bench.peers.serving import database_url
from bench.steps import measured

LOOKS, PAGE = 50, 500

# ruff: noqa: S608 - no values but ours
# As ours, ids grow with time: one a millisecond.
_ID = """
    (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3)
     || '8' || substr(md5(n::text), 4, 15))::uuid
"""
_FILL = (
    f"""
    INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope, created_at,
                        published_at, stream_id, log_position)
    SELECT {_ID}, 'orders.order_created.v1', 'orders', 'ord_' || md5(n::text),
           'bench', repeat('x', 600), now() - interval '1 hour', now() - interval '1 hour',
           n || '-0', n
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
    f"""
    INSERT INTO inbox (subscriber, event_id)
    SELECT subscriber, {_ID}
    FROM (VALUES ('inventory'), ('orders')) AS known (subscriber),
         generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
    "UPDATE log_head SET position = greatest(position, CAST(:last AS bigint), :first)",
)


async def run(sizes: list[int]) -> None:
    """Measure at each size, the smallest first."""
    database = db.postgresql(database_url())
    try:
        first = await _filled_from(database)
        for size in sizes:
            await _fill(database, first, first + size - 1)
            await _look(database, size)
    finally:
        await database.close()


async def _filled_from(database: Database) -> int:
    async with database.read() as session:
        return await outbox.head(session) + 1


async def _fill(database: Database, first: int, last: int) -> None:
    async with database.write() as session:
        have = await outbox.head(session)
        for statement in _FILL:
            await session.execute(text(statement), {"first": max(first, have + 1), "last": last})
    async with database.writer.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM ANALYZE outbox, inbox"))


async def _look(database: Database, size: int) -> None:
    window = ReconcilePolicy().window
    async with database.read() as session:
        head = await outbox.head(session)
        with measured(f"outbox page, {size:,} retained") as step:
            for _ in range(LOOKS):
                page = await outbox.unpublished(session, PAGE)
                step.units += 1
        if len(page) != PAGE:
            raise RuntimeError(f"{len(page)} events wait, not {PAGE}")
        with measured(f"reconcile's look, {size:,} retained") as step:
            for _ in range(LOOKS):
                after = max(0, head - window)
                await settled.window(session, "inventory", after=after, size=window, ripe_s=15)
                step.units += 1


if __name__ == "__main__":
    anyio.run(run, [int(each) for each in sys.argv[1:]], backend_options={"use_uvloop": True})
