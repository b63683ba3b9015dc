"""Carries events from one deployment into the outbox of another, each of them once.

`python -m examples.own_service.bridge URL TYPE…` reads these types from the feed at URL and writes
them into the database of DATABASE_URL, whose relay and subscribers go on from there: what happens
here cannot be told from events of its own. APP_API_KEY is sent where URL asks for a key, which
needs `events:read`.
"""

import os
import sys
from collections.abc import Sequence
from uuid import UUID

import anyio
import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Envelope
from app.bus.sql import upsert
from app.bus.tables import outbox
from app.db import Database, postgresql

PAGE = 200
WAIT_S = 20

# A migration in a service of yours.
TABLE = text("CREATE TABLE IF NOT EXISTS bridge (source TEXT PRIMARY KEY, cursor TEXT NOT NULL)")
PLACE = text("SELECT cursor FROM bridge WHERE source = :source")
GO_ON = text(
    "INSERT INTO bridge (source, cursor) VALUES (:source, :cursor)"
    " ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor"
)


async def carry(
    feed: httpx2.AsyncClient, database: Database, source: str, types: Sequence[str]
) -> int:
    """Carry one page, in one transaction with the place behind it; return how many were new.

    If it dies in between, the page is read again, and the ids of its events keep copies out. Where
    there is nothing, it waits for WAIT_S. Raises HTTPStatusError when the feed refuses: a 410 says
    that events are gone which were never carried.
    """
    async with database.read() as session:
        after = await session.scalar(PLACE, {"source": source})
    reply = await feed.get(
        "/v1/events",
        params={"types": list(types), "limit": PAGE} | ({"after": after} if after else {}),
        headers={"Prefer": f"wait={WAIT_S}"},
    )
    page = reply.raise_for_status().json()
    async with database.write() as session:
        new = await _record(session, [Envelope.model_validate(item) for item in page["items"]])
        await session.execute(GO_ON, {"source": source, "cursor": page["next_cursor"]})
    return new


async def _record(session: AsyncSession, envelopes: Sequence[Envelope]) -> int:
    """Write what is not there yet into the outbox, in the order of the feed."""
    if not envelopes:
        return 0
    rows = [
        {
            "event_id": UUID(str(each.id)),
            "type": each.type,
            "context": each.type.partition(".")[0],
            "subject": each.subject,
            "correlation_id": each.correlationid,
            "envelope": each.to_json(),
        }
        for each in envelopes
    ]
    new = await session.scalars(
        upsert(session, outbox).on_conflict_do_nothing().returning(outbox.c.event_id), rows
    )
    return len(new.all())


async def main(url: str, types: Sequence[str]) -> None:
    """Carry until told to stop; a deployment that is away is waited for."""
    key = os.environ.get("APP_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    database = postgresql(os.environ["DATABASE_URL"], pool=2)
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=WAIT_S + 10) as feed:
        async with database.write() as session:
            # The first start makes it, and has to be by who may: the owner of the other tables.
            if await session.scalar(text("SELECT to_regclass('bridge')")) is None:
                await session.execute(TABLE)
        while True:
            try:
                await carry(feed, database, url, types)
            except httpx2.TransportError as error:
                print(f"{url} does not answer ({error}); it is asked again", file=sys.stderr)
                await anyio.sleep(1)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2:])
