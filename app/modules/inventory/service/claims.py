"""Claims: the rows that make each decision about an order or a fulfillment happen once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    Boolean,
    Executable,
    FromClause,
    String,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.prepared import Write, prepared, write
from app.bus.sql import now, rows, upsert
from app.modules.inventory.models.tables import (
    IssueState,
    ReservationState,
    issues,
    reservation_lines,
    reservations,
)
from app.modules.inventory.service.steps import Commit, Issue, Release, Reserve, Step, VoidIssue


@dataclass(slots=True)
class Line:
    """Units of a SKU taken at a location for an order, and how many of them have left."""

    sku: str
    location: str
    quantity: int
    issued: int = 0
    stored: bool = True
    changed: bool = False

    @property
    def left(self) -> int:
        """How many units are still here."""
        return self.quantity - self.issued


@dataclass(slots=True)
class Claim:
    """An order's reservation while a batch is decided; no state means that it is undecided."""

    order_id: str
    stored: ReservationState
    state: ReservationState | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Tell whether units are held here."""
        return self.state in {ReservationState.HELD, ReservationState.COMMITTED}


async def claim_orders(session: AsyncSession, steps: Sequence[Step]) -> dict[str, Claim]:
    """Lock the reservations these steps are about, and return them by order.

    An order that has none gets one from the first step that may begin it; the row is the order's
    lock, so a twin of that step waits here. Left out are decided orders that are only asked for
    again, promised ones that are only confirmed, and orders nobody began. Orders are locked in key
    order, new ones first: one statement for new orders, two more when others come as well.
    """
    begun: dict[str, ReservationState] = {}
    concerned: dict[str, bool] = {}
    for step in steps:
        match step:
            case Reserve():
                state = ReservationState.COMMITTED if step.commit else ReservationState.HELD
                begun.setdefault(step.order_id, state)
            case Release():
                begun.setdefault(step.order_id, ReservationState.VOID)
                concerned[step.order_id] = True
            case Commit():
                concerned.setdefault(step.order_id, False)
            case Issue():
                concerned[step.order_id] = True
            case VoidIssue():
                pass
    inserted = await _insert(session, begun) if begun else set()
    claims = {
        order_id: Claim(order_id, state)
        for order_id, state in begun.items()
        if order_id in inserted
    }
    if known := {one: more for one, more in concerned.items() if one not in inserted}:
        claims |= await _lock(session, known)
    return claims


async def _insert(session: AsyncSession, begun: Mapping[str, ReservationState]) -> set[str]:
    """Insert reservations, and return the orders that had none."""
    order_ids = sorted(begun)
    states = [begun[order_id].value for order_id in order_ids]
    return set(await _insert_new.column(session, {"order_id": order_ids, "state": states}))


@prepared(alike=["state"], order_id=String(), state=String())
def _insert_new(session: AsyncSession, given: FromClause) -> Executable:
    return (
        upsert(session, reservations)
        .from_select(
            ["order_id", "state", "version"],
            select(given.c.order_id, given.c.state, literal(1, BigInteger())).where(
                given.c.order_id.is_not(None)  # without a WHERE, SQLite takes ON for a join's
            ),
        )
        .on_conflict_do_nothing(index_elements=["order_id"])
        .returning(reservations.c.order_id)
    )


async def _lock(session: AsyncSession, known: Mapping[str, bool]) -> dict[str, Claim]:
    """Lock the reservations that are there, and return them with what they hold.

    Of an order that is known to be confirmed and no more, only units still to be promised matter.
    """
    order_ids = sorted(known)
    more = [known[order_id] for order_id in order_ids]
    found = await _lock_known.run(session, {"order_id": order_ids, "more": more})
    claims: dict[str, Claim] = {}
    for order_id, state in found:
        claims[order_id] = Claim(order_id, ReservationState(state), ReservationState(state))
    holding = [order_id for order_id, claim in claims.items() if claim.holds]
    if holding:
        # In a statement of its own: what another transaction issued is seen only once it is over.
        held = await _held_lines.run(session, {"order_id": holding})
        for order_id, *line in held:
            claims[order_id].lines.append(Line(*line))
    return claims


@prepared(order_id=String(), more=Boolean())
def _lock_known(session: AsyncSession, asked: FromClause) -> Executable:
    del session
    return (
        select(reservations.c.order_id, reservations.c.state)
        .join(asked, reservations.c.order_id == asked.c.order_id)
        .where(or_(asked.c.more, reservations.c.state == ReservationState.HELD.value))
        .order_by(reservations.c.order_id)
        .with_for_update(of=reservations)
    )


@prepared(order_id=String())
def _held_lines(session: AsyncSession, asked: FromClause) -> Executable:
    del session
    lines = reservation_lines.c
    return (
        select(lines.order_id, lines.sku, lines.location, lines.quantity, lines.issued)
        .join(asked, lines.order_id == asked.c.order_id)
        .order_by(lines.order_id, lines.sku, lines.location)
    )


async def claim_issues(session: AsyncSession, steps: Iterable[Step]) -> set[str]:
    """Insert what becomes of these fulfillments, and return those that were not decided before.

    The first step about a fulfillment decides: it leaves, or it is void.
    """
    begun: dict[str, tuple[str, IssueState]] = {}
    for step in steps:
        if isinstance(step, Issue):
            begun.setdefault(step.fulfillment_id, (step.order_id, IssueState.ISSUED))
        elif isinstance(step, VoidIssue):
            begun.setdefault(step.fulfillment_id, (step.order_id, IssueState.VOID))
    if not begun:
        return set()
    fulfillment_ids = sorted(begun)
    given = rows(
        session,
        fulfillment_id=(String(), fulfillment_ids),
        order_id=(String(), [begun[one][0] for one in fulfillment_ids]),
        state=(String(), [begun[one][1] for one in fulfillment_ids]),
    )
    inserted = await session.scalars(
        upsert(session, issues)
        .from_select(
            given.c.keys(),
            select(given).where(
                given.c.fulfillment_id.is_not(None)  # as above
            ),
        )
        .on_conflict_do_nothing(index_elements=["fulfillment_id"])
        .returning(issues.c.fulfillment_id)
    )
    return set(inserted)


async def write_claims(session: AsyncSession, claims: Iterable[Claim]) -> list[Write]:
    """Write what was decided: a statement each for new lines, issued ones, and changed states.

    The one for new lines is left to the caller, unless some of them are issued already.
    """
    fresh: list[tuple[str, Line]] = []
    issued: list[tuple[str, Line]] = []
    changed: list[tuple[str, ReservationState]] = []
    for claim in claims:
        if claim.state is not None and claim.state is not claim.stored:
            changed.append((claim.order_id, claim.state))
        for line in claim.lines:
            if not line.stored:
                fresh.append((claim.order_id, line))
            if line.changed:
                issued.append((claim.order_id, line))
    left = [_new_lines(session, fresh)] if fresh else []
    if issued:
        await write(session, *left)
        await _write_issued(session, issued)
        left = []
    if changed:
        await _write_states(session, changed)
    return left


async def void_issues(session: AsyncSession, fulfillment_ids: Collection[str]) -> None:
    """Turn fulfillments that this transaction claimed into ones that never leave."""
    given = rows(session, fulfillment_id=(String(), sorted(fulfillment_ids)))
    await session.execute(
        update(issues)
        .where(issues.c.fulfillment_id == given.c.fulfillment_id)
        .values(state=IssueState.VOID.value)
    )


def _new_lines(session: AsyncSession, fresh: Sequence[tuple[str, Line]]) -> Write:
    columns: dict[str, Sequence[object]] = {
        "order_id": [order_id for order_id, _ in fresh],
        "sku": [line.sku for _, line in fresh],
        "location": [line.location for _, line in fresh],
        "quantity": [line.quantity for _, line in fresh],
    }
    return _insert_lines.on(session, columns)


@prepared(
    alike=["location", "quantity"],
    order_id=String(),
    sku=String(),
    location=String(),
    quantity=BigInteger(),
)
def _insert_lines(session: AsyncSession, given: FromClause) -> Executable:
    del session
    return insert(reservation_lines).from_select(given.c.keys(), select(given))


async def _write_issued(session: AsyncSession, issued: Sequence[tuple[str, Line]]) -> None:
    given = rows(
        session,
        order_id=(String(), [order_id for order_id, _ in issued]),
        sku=(String(), [line.sku for _, line in issued]),
        location=(String(), [line.location for _, line in issued]),
        issued=(BigInteger(), [line.issued for _, line in issued]),
    )
    await session.execute(
        update(reservation_lines)
        .where(
            reservation_lines.c.order_id == given.c.order_id,
            reservation_lines.c.sku == given.c.sku,
            reservation_lines.c.location == given.c.location,
        )
        .values(issued=given.c.issued)
    )


async def _write_states(
    session: AsyncSession, changed: Sequence[tuple[str, ReservationState]]
) -> None:
    given = rows(
        session,
        order_id=(String(), [order_id for order_id, _ in changed]),
        state=(String(), [state for _, state in changed]),
    )
    await session.execute(
        update(reservations)
        .where(reservations.c.order_id == given.c.order_id)
        .values(state=given.c.state, version=reservations.c.version + 1, updated_at=now())
    )
