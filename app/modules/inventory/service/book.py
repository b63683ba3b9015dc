"""The book: the one writer of stock levels and of their ledger, under locks in key order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.prepared import Write, write
from app.modules.inventory.errors import TooMuchStockError, UnknownLocationError
from app.modules.inventory.models.tables import MovementKind
from app.modules.inventory.service.levels import Key, Level, change, lock, make, record
from app.modules.inventory.service.thresholds import NO_MARKS, Marks, crossing, free_now

MOST_ON_HAND = 10**15
"""Units at one location: sums over all of them still fit into what a database counts."""


class Why(NamedTuple):
    """What kind of change a level goes through, and for what."""

    kind: MovementKind
    order_id: str | None = None
    receipt_id: str | None = None
    adjustment_id: str | None = None
    fulfillment_id: str | None = None
    cause: Event | None = None


class Book:
    """Every level of some SKUs, locked, and what is done to them.

    Changes are made in memory, in the order in which they shall stand in the ledger, and `write`
    sends them all. Whoever opened the book alone may change its levels until the transaction ends,
    so one transaction opens one book.
    """

    def __init__(
        self,
        session: AsyncSession,
        levels: Iterable[Level] = (),
        marks: Mapping[str, Marks] | None = None,
    ) -> None:
        self._session = session
        self._levels: dict[Key, Level] = {}
        self._by_sku: dict[str, list[Level]] = {}
        for level in levels:
            self._levels[level.sku, level.location] = level
            self._by_sku.setdefault(level.sku, []).append(level)
        for offers in self._by_sku.values():
            offers.sort(key=lambda level: (level.priority, level.location))
        self._marks = dict(marks or {})
        self._marks_before = dict(self._marks)
        self._free = {sku: self._free_of(sku) for sku in self._by_sku}
        self._free_before = dict(self._free)
        self._movements: list[tuple[object, ...]] = []
        self._causes: dict[str, Event] = {}

    @classmethod
    async def open(
        cls, session: AsyncSession, skus: Collection[str], *, needed: Collection[Key] = ()
    ) -> "Book":
        """Lock every level of these SKUs, over all locations, in key order: one statement.

        needed levels are made where there are none, by a statement more; raises
        UnknownLocationError when one lies nowhere. No SKUs are no statement.
        """
        if not skus:
            return cls(session)
        made = await make(session, needed) if needed else set()
        levels, marks = await lock(session, skus)
        book = cls(session, levels, marks)
        if nowhere := sorted({key[1] for key in needed if key not in book._levels}):
            msg = f"There is no location {', '.join(nowhere)}."
            raise UnknownLocationError(msg, locations=nowhere)
        # What was never in the books cannot be low, out or back.
        for sku in {sku for sku, _ in made}:
            if all((level.sku, level.location) in made for level in book._by_sku[sku]):
                del book._free_before[sku]
        return book

    def level(self, sku: str, location: str) -> Level:
        """Return a level of this book."""
        return self._levels[sku, location]

    def by_priority(self, sku: str) -> Sequence[Level]:
        """Return the levels of a SKU, by priority and then by location."""
        return self._by_sku.get(sku, ())

    def available(self, sku: str) -> int:
        """Return how many units of a SKU can be promised; 0 for one that was never seen."""
        return max(0, self._free.get(sku, 0))

    def take(self, sku: str, quantity: int) -> list[tuple[Level, int]]:
        """Return where to take available units from: by priority, then location, split if needed.

        Nothing is moved yet.
        """
        taken = []
        for level in self._by_sku[sku]:
            part = min(quantity, level.free) if level.active else 0
            if part > 0:
                taken.append((level, part))
                quantity -= part
                if not quantity:
                    break
        return taken

    def move(
        self,
        level: Level,
        why: Why,
        *,
        on_hand: int = 0,
        reserved: int = 0,
        committed: int = 0,
    ) -> None:
        """Change a level by these differences, and note it for the ledger."""
        level.on_hand += on_hand
        level.reserved += reserved
        level.committed += committed
        level.changed = True
        if level.active:
            self._free[level.sku] += on_hand - reserved
        if why.cause is not None:
            self._causes[level.sku] = why.cause
        self._movements.append(
            (
                level.sku,
                level.location,
                why.kind,
                on_hand,
                reserved,
                committed,
                level.on_hand,
                level.reserved,
                level.committed,
                why.order_id,
                why.receipt_id,
                why.adjustment_id,
                why.fulfillment_id,
                None if why.cause is None else why.cause.id,
            )
        )

    def mark(self, sku: str, was: Marks, marks: Marks) -> None:
        """Go by other marks than before, from here on; the caller writes the item."""
        for free, item, kept in (
            (self._free_before, self._marks_before, was),
            (self._free, self._marks, marks),
        ):
            item[sku] = kept
            if sku in free:
                free[sku] = self._free_of(sku, kept)

    def offer(self, location: str, *, active: bool) -> None:
        """Offer what lies there, or no longer, from here on; the caller writes the location."""
        for level in self._levels.values():
            if level.location == location:
                level.active = active
                self._free[level.sku] = self._free_of(level.sku)

    async def write(self) -> list[Event]:
        """Write what was changed, and return what the world should know of it, unpublished.

        One trip to the database, however much was changed; one more when a SKU crossed a threshold.
        Raises TooMuchStockError, before anything is written.
        """
        events, writes = await self.finish()
        await write(self._session, *writes)
        return events

    async def finish(self) -> tuple[list[Event], list[Write]]:
        """Do as `write` does, and return beside the events what is left to be written."""
        changed = [level for level in self._levels.values() if level.changed]
        if full := [level for level in changed if level.on_hand > MOST_ON_HAND]:
            lines = [{"sku": level.sku, "location": level.location} for level in full]
            msg = f"More than {MOST_ON_HAND} units of a SKU at a location cannot be kept."
            raise TooMuchStockError(msg, lines=lines)
        writes = [change(self._session, changed)] if changed else []
        if self._movements:
            writes.append(record(self._session, self._movements))
        suspects = [sku for sku in self._free_before if self._crossing(sku, self._free[sku])]
        if not suspects:
            return [], writes
        # They are looked up, our changes included.
        await write(self._session, *writes)
        return await self._crossed(suspects), []

    def _free_of(self, sku: str, marks: Marks | None = None) -> int:
        free = sum(level.free for level in self._by_sku[sku] if level.active)
        return free - (marks or self._marks.get(sku, NO_MARKS)).safety_stock

    async def _crossed(self, suspects: Sequence[str]) -> list[Event]:
        """Return the thresholds that were crossed, one per SKU."""
        # Others may have added levels that were not there yet when this book was opened.
        free = await free_now(self._session, suspects)
        found = []
        for sku in suspects:
            event = self._crossing(sku, free[sku])
            if event is not None:
                cause = self._causes.get(sku)
                found.append(event if cause is None else event.caused_by(cause))
        return found

    def _crossing(self, sku: str, free: int) -> Event | None:
        """Return what became of a SKU by our changes, when now so many units are free."""
        before = free - self._free[sku] + self._free_before[sku]
        was = self._marks_before.get(sku, NO_MARKS)
        return crossing(sku, before, was, free, self._marks.get(sku, NO_MARKS))
