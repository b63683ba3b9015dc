"""Deciding: a batch of steps, one after the other in memory, under the locks of all its stock."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.modules.inventory.events import (
    ReservedLine,
    Shortage,
    StockIssued,
    StockIssueVoided,
    StockRejected,
    StockReleased,
    StockReserved,
)
from app.modules.inventory.models.tables import MovementKind, ReservationState
from app.modules.inventory.service.book import Book, Why
from app.modules.inventory.service.claims import (
    Claim,
    Line,
    claim_issues,
    claim_orders,
    void_issues,
    write_claims,
)
from app.modules.inventory.service.steps import (
    Commit,
    Issue,
    Release,
    Reserve,
    Step,
    VoidIssue,
    merged,
)


async def decide(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Take each step in turn, as if it were alone, and publish what was decided.

    A step whose time is over, because it came twice or too late, is passed over in silence, and so
    is one about an order nobody asked to reserve for. What a step gives back, the next one can
    have. The rows of the orders are locked first, those of the fulfillments second, those of the
    stock last, each in key order. The number of trips to the database does not grow with the batch:
    reserving takes three, and two more when a SKU crosses a threshold.
    """
    claims = await claim_orders(session, steps)
    leaving = await claim_issues(session, steps)
    book = await Book.open(session, _skus(steps, claims))
    batch = _Batch(book, claims, leaving)
    events = [event for step in steps if (event := batch.take(step)) is not None]
    told, writes = await book.finish()
    writes += await write_claims(session, claims.values())
    if batch.not_held:
        await void_issues(session, batch.not_held)
    await publish(session, *events, *told, beside=writes)


def _skus(steps: Sequence[Step], claims: Mapping[str, Claim]) -> dict[str, None]:
    """Return every SKU these steps may touch."""
    skus = dict.fromkeys(line.sku for claim in claims.values() for line in claim.lines)
    for step in steps:
        if isinstance(step, Reserve):
            claim = claims.get(step.order_id)
            if claim is not None and claim.state is None:
                for sku, _ in step.lines:
                    skus[sku] = None
    return skus


class _Batch:
    """Steps under way: the book, the claims, and the fulfillments still to be decided."""

    def __init__(self, book: Book, claims: Mapping[str, Claim], leaving: set[str]) -> None:
        self._book = book
        self._claims = claims
        self._leaving = leaving
        self.not_held: list[str] = []

    def take(self, step: Step) -> Event | None:
        """Take one step, and return what to say of it."""
        event = self._decided(step)
        return None if event is None else event.caused_by(step.cause)

    def _decided(self, step: Step) -> Event | None:
        claim = self._claims.get(step.order_id)
        match step:
            case Reserve():
                return self._reserve(step, claim)
            case Commit():
                self._commit(step, claim)
                return None
            case Release():
                return self._release(step, claim)
            case Issue():
                return self._issue(step, claim)
            case VoidIssue():
                return self._void(step)

    def _reserve(self, step: Reserve, claim: Claim | None) -> Event | None:
        """Hold every line or none: at most one decision per order, first come first served."""
        if claim is None or claim.state is not None:
            return None
        wanted = merged(step.lines)
        available = self._book.available
        shortages = [
            Shortage(sku=sku, requested=quantity, available=available(sku))
            for sku, quantity in wanted.items()
            if quantity > available(sku)
        ]
        if shortages:
            claim.state = ReservationState.REJECTED
            return StockRejected(order_id=step.order_id, shortages=tuple(shortages))
        claim.state = ReservationState.COMMITTED if step.commit else ReservationState.HELD
        why = Why(MovementKind.RESERVE, order_id=step.order_id, cause=step.cause)
        for sku, quantity in wanted.items():
            for level, part in self._book.take(sku, quantity):
                committed = part if step.commit else 0
                self._book.move(level, why, reserved=part, committed=committed)
                claim.lines.append(Line(sku, level.location, part, stored=False))
        lines = [_line(line, line.quantity) for line in claim.lines]
        return StockReserved(order_id=step.order_id, lines=tuple(lines))

    def _commit(self, step: Commit | Issue, claim: Claim | None) -> None:
        """Promise what is held; what is promised already, or is gone, stays so."""
        if claim is None or claim.state is not ReservationState.HELD:
            return
        claim.state = ReservationState.COMMITTED
        why = Why(MovementKind.COMMIT, order_id=step.order_id, cause=step.cause)
        for line in claim.lines:
            self._book.move(self._book.level(line.sku, line.location), why, committed=line.left)

    def _release(self, step: Release, claim: Claim | None) -> Event | None:
        """Give back what is left, or leave a tombstone for an order that is still on its way."""
        released = partial(StockReleased, order_id=step.order_id, reason=step.reason)
        if claim is None:
            return None
        if claim.state is None:
            claim.state = ReservationState.VOID
            return released(lines=())
        if not claim.holds:
            return None
        promised = claim.state is ReservationState.COMMITTED
        claim.state = ReservationState.RELEASED
        why = Why(MovementKind.RELEASE, order_id=step.order_id, cause=step.cause)
        left = [line for line in claim.lines if line.left]
        for line in left:
            committed = -line.left if promised else 0
            level = self._book.level(line.sku, line.location)
            self._book.move(level, why, reserved=-line.left, committed=committed)
        return released(lines=tuple(_line(line, line.left) for line in left))

    def _issue(self, step: Issue, claim: Claim | None) -> Event | None:
        """Let every line leave or none; what nobody holds for the order cannot leave."""
        if step.fulfillment_id not in self._leaving:
            return None
        self._leaving.remove(step.fulfillment_id)
        # The order is confirmed, or it could not ask: its confirmation is still on its way.
        self._commit(step, claim)
        parts = self._parts(claim.lines, merged(step.lines)) if claim and claim.holds else []
        if claim is None or not parts:
            self.not_held.append(step.fulfillment_id)
            return StockIssueVoided(
                order_id=step.order_id, fulfillment_id=step.fulfillment_id, reason="not_held"
            )
        why = Why(
            MovementKind.ISSUE,
            order_id=step.order_id,
            fulfillment_id=step.fulfillment_id,
            cause=step.cause,
        )
        for line, units in parts:
            line.issued += units
            line.changed = True
            level = self._book.level(line.sku, line.location)
            self._book.move(level, why, on_hand=-units, reserved=-units, committed=-units)
        if not any(line.left for line in claim.lines):
            claim.state = ReservationState.CONSUMED
        return StockIssued(
            order_id=step.order_id,
            fulfillment_id=step.fulfillment_id,
            lines=tuple(_line(line, units) for line, units in parts),
        )

    def _void(self, step: VoidIssue) -> Event | None:
        if step.fulfillment_id not in self._leaving:
            return None
        self._leaving.remove(step.fulfillment_id)
        return StockIssueVoided(
            order_id=step.order_id, fulfillment_id=step.fulfillment_id, reason="cancelled"
        )

    def _parts(self, lines: Sequence[Line], wanted: Mapping[str, int]) -> list[tuple[Line, int]]:
        """Return which units leave from where, by priority; none when some are not held."""
        parts: list[tuple[Line, int]] = []
        for sku, quantity in wanted.items():
            missing = quantity
            held = {line.location: line for line in lines if line.sku == sku}
            for level in self._book.by_priority(sku):
                line = held.get(level.location)
                units = min(missing, line.left) if line else 0
                if line and units:
                    parts.append((line, units))
                    missing -= units
            if missing:
                return []
        return parts


def _line(line: Line, units: int) -> ReservedLine:
    return _reserved(line.sku, line.location, units)


# Orders ask for the same few units of the same SKUs, and a line never changes.
@lru_cache(maxsize=4096)
def _reserved(sku: str, location: str, units: int) -> ReservedLine:
    return ReservedLine(sku=sku, location=location, quantity=units)
