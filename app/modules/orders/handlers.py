"""What orders does when inventory speaks, and when the clock does."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.subscriber import Subscriber
from app.bus.timer import Timer
from app.modules.inventory.events import (
    StockIssued,
    StockIssueVoided,
    StockRejected,
    StockReserved,
)
from app.modules.orders.events import Shortage
from app.modules.orders.service.conclude import Conclusion, conclude
from app.modules.orders.service.hold import cancel_undecided, expire_due
from app.modules.orders.service.settle import Verdict, settle
from app.modules.orders.service.transition import lock

subscriber = Subscriber("orders")


def timers(*, decision_deadline_s: float | None = None) -> list[Timer]:
    """Return what orders has to do by the clock; without a deadline nothing is cancelled by it."""
    if decision_deadline_s is None:
        return [Timer("expire-holds", expire_due)]
    sweep = partial(cancel_undecided, deadline_s=decision_deadline_s)
    return [Timer("expire-holds", expire_due), Timer("decision-deadline", sweep)]


# One handler for every answer: mixed as they come, they still make one batch.
@subscriber.on(StockReserved, StockRejected, StockIssued, StockIssueVoided, batch=True)
async def apply_answers(events: Sequence[Event], session: AsyncSession) -> None:
    """Settle the orders that inventory decided about, and conclude their fulfillments."""
    verdicts: list[Verdict] = []
    conclusions: list[Conclusion] = []
    for event in events:
        match event:
            case StockReserved():
                verdicts.append(Verdict(order_id=event.order_id, cause=event))
            case StockRejected():
                verdicts.append(_rejected(event))
            case StockIssued() | StockIssueVoided():
                conclusions.append(_conclusion(event))
    if verdicts and conclusions:
        # Each of the two locks its orders in order; after one another they would not be.
        await lock(session, (event.subject for event in events))
    if verdicts:
        await settle(session, verdicts)
    if conclusions:
        await conclude(session, conclusions)


def _rejected(event: StockRejected) -> Verdict:
    shortages = tuple(
        Shortage(sku=line.sku, requested=line.requested, available=line.available)
        for line in event.shortages
    )
    return Verdict(order_id=event.order_id, cause=event, shortages=shortages)


def _conclusion(event: StockIssued | StockIssueVoided) -> Conclusion:
    return Conclusion(
        order_id=event.order_id,
        fulfillment_id=event.fulfillment_id,
        issued=isinstance(event, StockIssued),
        cause=event,
    )
