"""A subscriber that gives loud bells up, for the tests of what operators do then."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox
from app.bus.dead_letters import Letter, letter
from app.bus.delivery import park
from app.bus.due import DueDeliveries
from app.bus.errors import PermanentError
from app.bus.subscriber import Subscriber
from app.bus.tables import metadata
from app.db import Base, Database
from tests.bus.sample import Effects, Heard, Rang, delivery_rows, ring, subscribed

LOUD = 11


class Ears:
    """A subscriber that gives loud bells up until it is cured, and tells what it hears."""

    def __init__(self) -> None:
        self.effects = Effects()
        self.cured = False
        self.subscriber = Subscriber("ears")
        self.subscriber.on(Rang)(self.hear)

    async def hear(self, event: Rang, session: AsyncSession) -> None:
        await self.effects(event, session)
        await outbox.publish(session, Heard(bell=event.bell))
        if event.volume >= LOUD and not self.cured:
            raise PermanentError(f"too loud: {event.volume}")


async def dead(database: Database, ears: Ears, *events: Rang) -> list[UUID]:
    """Have events run until they are dead letters, and return their ids."""
    await subscribed(database, ears.subscriber)
    await ring(database, *events)
    ids = [event.id for event in events]
    async with database.write() as session:
        await park(session, "ears", ids)
    due = DueDeliveries(database, ears.subscriber)
    while await due.run_page():
        pass
    assert {row.state for row in await delivery_rows(database)} == {"dead"}
    return ids


async def dump(database: Database) -> dict[str, list[str]]:
    """Return every row of every table."""
    async with database.read() as session:
        return {
            table.name: sorted(map(repr, await session.execute(table.select())))
            for table in (*metadata.sorted_tables, *Base.metadata.sorted_tables)
        }


async def one(database: Database, event_id: UUID) -> Letter:
    async with database.read() as session:
        return await letter(session, "ears", event_id)
