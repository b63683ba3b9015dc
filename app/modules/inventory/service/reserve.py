"""Reserving stock: a batch of orders is decided in memory, under the locks of its stock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, String, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.sql import now, rows, upsert
from app.modules.inventory.events import ReservedLine, Shortage, StockRejected, StockReserved
from app.modules.inventory.models import (
    DEFAULT_LOCATION,
    MovementKind,
    ReservationState,
    StockLevel,
    reservation_lines,
    reservations,
    stock_levels,
)
from app.modules.inventory.service.ledger import Movement, merged, record


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Stock an order asks for, as (sku, quantity) pairs, and the event that says so."""

    order_id: str
    lines: Sequence[tuple[str, int]]
    cause: Event


@dataclass(slots=True)
class _Level:
    """The counters of one SKU while a batch is decided."""

    on_hand: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class _Decision:
    """What became of one request: held line by line, or short of something."""

    request: Request
    held: Mapping[str, int]
    shortages: tuple[Shortage, ...]


async def reserve(session: AsyncSession, requests: Sequence[Request]) -> None:
    """Decide about each order once, first come first served, and publish what was decided.

    All or nothing per order: every line is held, or nothing is and every short line is listed. An
    order that was decided before is passed over. A SKU that inventory never saw has nothing
    available. At most seven statements, however many orders and lines there are; the rows of the
    orders are locked first, those of the stock second, both in key order.
    """
    first: dict[str, Request] = {}
    for request in requests:
        first.setdefault(request.order_id, request)
    undecided = await _claim(session, first)
    fresh = [request for order_id, request in first.items() if order_id in undecided]
    if not fresh:
        return
    skus = dict.fromkeys(sku for request in fresh for sku, _ in request.lines)
    levels = await _lock(session, skus)
    movements: list[Movement] = []
    decisions = [_decide(request, levels, movements) for request in fresh]
    if movements:
        await _hold(session, decisions, levels, {movement.sku for movement in movements})
        await record(session, movements)
    if rejected := [given.request.order_id for given in decisions if given.shortages]:
        await _reject(session, rejected)
    await publish(session, *map(_decided, decisions))


async def _claim(session: AsyncSession, order_ids: Collection[str]) -> set[str]:
    """Insert reservations as held, and return the orders that had none before.

    The row is the order's lock: a twin of this request waits here until this one is decided.
    """
    given = rows(session, order_id=(String(), sorted(order_ids)))
    claimed = await session.scalars(
        upsert(session, reservations)
        .from_select(
            ["order_id", "state", "version"],
            select(given, literal(ReservationState.HELD, String()), literal(1, BigInteger())).where(
                given.c.order_id.is_not(None)  # without a WHERE, SQLite takes ON for a join's
            ),
        )
        .on_conflict_do_nothing(index_elements=["order_id"])
        .returning(reservations.c.order_id)
    )
    return set(claimed)


async def _lock(session: AsyncSession, skus: Collection[str]) -> dict[str, _Level]:
    """Lock the levels of these SKUs, in key order, and return their counters."""
    asked = rows(session, sku=(String(), list(skus)))
    found = await session.execute(
        select(StockLevel.sku, StockLevel.on_hand, StockLevel.reserved)
        .join(asked, StockLevel.sku == asked.c.sku)
        .where(StockLevel.location == DEFAULT_LOCATION)
        .order_by(StockLevel.sku, StockLevel.location)
        .with_for_update(of=StockLevel)
    )
    return {sku: _Level(on_hand, reserved) for sku, on_hand, reserved in found}


def _decide(request: Request, levels: Mapping[str, _Level], movements: list[Movement]) -> _Decision:
    """Hold every line or none; what is held is taken from levels and noted in movements."""
    wanted = merged(request.lines)
    nothing = _Level()
    shortages = tuple(
        Shortage(sku=sku, requested=quantity, available=available)
        for sku, quantity in wanted.items()
        if quantity > (available := levels.get(sku, nothing).available)
    )
    if shortages:
        return _Decision(request, {}, shortages)
    for sku, quantity in wanted.items():
        level = levels[sku]
        level.reserved += quantity
        movements.append(
            Movement(
                sku=sku,
                kind=MovementKind.RESERVE,
                d_reserved=quantity,
                on_hand_after=level.on_hand,
                reserved_after=level.reserved,
                order_id=request.order_id,
                event_id=request.cause.id,
            )
        )
    return _Decision(request, wanted, ())


async def _hold(
    session: AsyncSession,
    decisions: Sequence[_Decision],
    levels: Mapping[str, _Level],
    touched: Collection[str],
) -> None:
    """Write the counters that changed, and what is held for whom."""
    changed = sorted(touched)
    after = rows(
        session,
        sku=(String(), changed),
        reserved=(BigInteger(), [levels[sku].reserved for sku in changed]),
    )
    await session.execute(
        update(stock_levels)
        .where(stock_levels.c.sku == after.c.sku, stock_levels.c.location == DEFAULT_LOCATION)
        .values(reserved=after.c.reserved, version=stock_levels.c.version + 1, updated_at=now())
    )
    lines = [
        (given.request.order_id, sku, quantity)
        for given in decisions
        for sku, quantity in given.held.items()
    ]
    held = rows(
        session,
        order_id=(String(), [order_id for order_id, _, _ in lines]),
        sku=(String(), [sku for _, sku, _ in lines]),
        quantity=(BigInteger(), [quantity for _, _, quantity in lines]),
    )
    await session.execute(
        insert(reservation_lines).from_select(
            [*held.c.keys(), "location"], select(held, literal(DEFAULT_LOCATION, String()))
        )
    )


async def _reject(session: AsyncSession, order_ids: Sequence[str]) -> None:
    given = rows(session, order_id=(String(), sorted(order_ids)))
    await session.execute(
        update(reservations)
        .where(reservations.c.order_id == given.c.order_id)
        .values(state=ReservationState.REJECTED.value)
    )


def _decided(decision: _Decision) -> Event:
    order_id = decision.request.order_id
    if decision.shortages:
        event: Event = StockRejected(order_id=order_id, shortages=decision.shortages)
    else:
        lines = tuple(
            ReservedLine(sku=sku, location=DEFAULT_LOCATION, quantity=quantity)
            for sku, quantity in decision.held.items()
        )
        event = StockReserved(order_id=order_id, lines=lines)
    return event.caused_by(decision.request.cause)
