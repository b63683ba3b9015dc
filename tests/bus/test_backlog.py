"""What waits costs nothing: each loop finds its next page, however much is dead, due or held up."""

import json
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import lease, outbox
from app.db import Database
from tests.bus.plans import explained, rows_touched, searched
from tests.bus.sample import Effects, listening, subscribed
from tests.least_privilege import as_owner

KNOWN = ["bells.bell_rang.v1"]

# 5,000 dead letters, 5,000 parked, 5,000 due for an hour, two suspects, one of them worn; and
# 5,000 events of a stream that is full, before ten of another one.
_FILL = """
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 15002)
INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope, published_at,
                    stream_id, log_position)
SELECT {new_id}, 'bells.bell_rang.v1', 'bells', 'a', 'a', 'x', {now}, n || '-0', n FROM n;
INSERT INTO delivery (subscriber, event_id, state, reason, attempts, unfinished, next_attempt_at)
SELECT 'ears', event_id, CASE WHEN log_position <= 5000 THEN 'dead' ELSE 'due' END,
       CASE WHEN log_position <= 10000 THEN 'parked' ELSE 'failed' END, 1,
       CASE log_position WHEN 15001 THEN 1 WHEN 15002 THEN 4 ELSE 0 END, {hour_ago}
  FROM outbox;
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5010)
INSERT INTO outbox (event_id, type, context, subject, correlation_id, envelope)
SELECT {new_id}, 'x', CASE WHEN n <= 5000 THEN 'bells' ELSE 'ears' END, 'a', 'a', 'x' FROM n
"""

_POSTGRESQL = {
    "new_id": "gen_random_uuid()",
    "now": "now()",
    "hour_ago": "now() - interval '1 hour'",
}
_SQLITE = {
    "new_id": "lower(hex(randomblob(16)))",
    "now": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "hour_ago": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour')",
}


@pytest.fixture
async def waiting(database: Database) -> Database:
    """Fill a database with what waits."""
    await subscribed(database, listening(Effects()))
    words = _SQLITE if database.single_writer else _POSTGRESQL
    async with database.write() as session:
        for statement in _FILL.format(**words).split(";"):
            await session.execute(text(statement))
    if not database.single_writer:
        async with as_owner(database) as connection:
            await connection.execute(text("ANALYZE outbox, delivery"))
    return database


async def bury(session: AsyncSession) -> None:
    [worn] = await lease.hopeless(session, "ears", KNOWN, 10)
    assert (worn.attempts, worn.reason) == (1, "failed")


async def claim_suspect(session: AsyncSession) -> None:
    claimed = await lease.claim(session, "ears", KNOWN, limit=1, lease_s=30, deaths=1)
    assert len(claimed) == 1


async def claim(session: AsyncSession) -> None:
    claimed = await lease.claim(session, "ears", KNOWN, limit=10, lease_s=30, deaths=0)
    assert len(claimed) == 10


async def relay(session: AsyncSession) -> None:
    page = await outbox.unpublished(session, 100, {"bells"})
    assert {row.context for row in page} == {"ears"}
    assert len(page) == 10


async def test_what_waits_costs_the_loops_nothing(waiting: Database) -> None:
    questions: tuple[Callable[[AsyncSession], Awaitable[None]], ...]
    questions = (bury, claim_suspect, claim, relay)
    for question in questions:
        async with waiting.writer.connect() as connection, AsyncSession(connection) as session:
            async with explained(waiting, session) as plans:
                await question(session)
            await session.rollback()

        assert plans
        for plan in plans:
            shown = json.dumps(plan, indent=1)
            assert not searched(plan), shown
            if waiting.single_writer:
                # Every search of an index begins with all that is asked for, not with its first
                # column: that is what the 5,000 have in common.
                assert "(subscriber=?)" not in shown
                assert "ix_outbox_unpublished (" not in shown
            else:
                assert rows_touched(plan) < 200, shown
