"""Failed attempts, as they were noted: what went wrong each time, and for how long it ran."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import rows
from app.bus.tables import failed_attempt

_MOST = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that failed. took_ms is how long the handler ran, None when it was not called."""

    attempt: int
    failed_at: datetime
    took_ms: float | None
    becomes: str
    error_type: str
    error: str


async def failed_attempts(
    session: AsyncSession, event_ids: Collection[UUID]
) -> defaultdict[tuple[UUID, str], list[Attempt]]:
    """Return what failed of these events, by event and subscriber, in order; nothing for others."""
    given = rows(session, event_id=(Uuid(), sorted(event_ids)))
    found = await session.execute(
        select(failed_attempt)
        .where(failed_attempt.c.event_id.in_(select(given.c.event_id)))
        .order_by(failed_attempt.c.id)
        .limit(_MOST)
    )
    attempts: defaultdict[tuple[UUID, str], list[Attempt]] = defaultdict(list)
    for row in found:
        attempts[row.event_id, row.subscriber].append(
            Attempt(
                attempt=row.attempt,
                failed_at=row.failed_at,
                took_ms=row.took_ms,
                becomes=row.becomes,
                error_type=row.error_type,
                error=row.error,
            )
        )
    return attempts
