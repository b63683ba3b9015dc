"""What one module says, carried to the other by hand: when, in which order and how often one likes.

Each delivery is one transaction with the rows of the inbox, as the bus makes it; but what comes
again does run again, because the modules bear that too.
"""

from collections.abc import Mapping, Sequence

from app.bus import inbox, outbox
from app.bus.event import Envelope, Event
from app.db import Database
from app.modules.inventory.handlers import move_stock, subscriber as inventory
from app.modules.orders.handlers import apply_answers, subscriber as orders
from tests.bus.sample import subscribed
from tests.inventory.sample import SAID
from tests.orders.sample import KINDS

PAGE = 1000
SUBSCRIBERS = {"inventory": inventory, "orders": orders}
_HANDLERS = {"inventory": move_stock, "orders": apply_answers}
_KINDS: Mapping[str, type[Event]] = {**KINDS, **SAID}


class Post:
    """Knows for each subscriber which events wait for it, and which it has had."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sent = 0
        self.waiting: dict[str, list[Event]] = {name: [] for name in SUBSCRIBERS}
        self.had: dict[str, list[Event]] = {name: [] for name in SUBSCRIBERS}

    async def open(self) -> None:
        """Register who listens."""
        await subscribed(self._database, *SUBSCRIBERS.values())

    async def collect(self) -> list[Event]:
        """Publish what was said since the last time, and return it."""
        async with self._database.write() as session:
            page = await outbox.unpublished(session, PAGE)
            if not page:
                return []
            ids = [f"{self._sent + number}-1" for number in range(1, len(page) + 1)]
            await outbox.mark_published(session, page, ids)
        self._sent += len(page)
        said = [_open(row.envelope) for row in page]
        for event in said:
            for name, subscriber in SUBSCRIBERS.items():
                if event.type in subscriber.handlers:
                    self.waiting[name].append(event)
        return said

    async def deliver(self, name: str, events: Sequence[Event]) -> None:
        """Have a subscriber handle these events in one transaction, those it has had as well."""
        async with self._database.write() as session:
            await inbox.claim(session, name, [event.id for event in events])
            await _HANDLERS[name](events, session)
        fresh = {event.id for event in events}
        self.waiting[name] = [one for one in self.waiting[name] if one.id not in fresh]
        known = {event.id for event in self.had[name]}
        self.had[name] += [event for event in events if event.id not in known]

    async def deliver_all(self) -> None:
        """Go on until nobody has anything to say."""
        await self.collect()
        while any(self.waiting.values()):
            for name, events in self.waiting.items():
                if events:
                    await self.deliver(name, list(events))
            await self.collect()

    async def overtake(self, kind: type[Event]) -> None:
        """Have the newest event of a kind handled before everything that waits."""
        await self.collect()
        for name, events in self.waiting.items():
            newest = [event for event in events if isinstance(event, kind)][-1:]
            if newest:
                await self.deliver(name, newest)


def _open(text: str) -> Event:
    envelope = Envelope.model_validate_json(text)
    return envelope.open(_KINDS[envelope.type])
