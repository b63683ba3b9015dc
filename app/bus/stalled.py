"""Stalled transactions: those whose process froze where PostgreSQL's own time limits do not look.

Between a PREPARE and what follows it, which are two messages of the driver's, a session counts as
active and waits for its client. `idle_in_transaction_session_timeout` then does not run, and a
cancel, which is what `statement_timeout` is, waits until the client speaks. So a process frozen
there would hold its locks for ever. Other processes end its session: it loses what it had not
committed, as from any lost connection.
"""

from functools import partial

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.timer import Timer

log = structlog.get_logger(__name__)

APPLICATION_NAME = "orderly"
"""What our sessions are called in `pg_stat_activity`."""

# Only a COPY from the client looks the same, and we have none.
_END = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user
      AND application_name = :application AND pid <> pg_backend_pid()
      AND state = 'active' AND wait_event = 'ClientRead' AND xact_start IS NOT NULL
      AND state_change <= now() - make_interval(secs => :after_s)
""")


def timer(*, after_s: float, every_s: float = 2.0) -> Timer:
    """Return the timer, for PostgreSQL, that ends sessions of ours stalled for after_s."""
    return Timer("stalled-transactions", partial(end, after_s=after_s), every_s)


async def end(session: AsyncSession, *, after_s: float) -> int:
    """End sessions of ours that stalled after_s ago or longer, and return how many."""
    parameters = {"application": APPLICATION_NAME, "after_s": after_s}
    count = int(await session.scalar(_END, parameters) or 0)
    if count:
        log.warning("sessions of frozen processes ended", count=count)
    return count
