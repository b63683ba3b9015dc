"""A shop in which an order of every kind of life has come to rest."""

from app.db import Database
from app.modules.inventory.models.drafts import (
    AdjustmentDraft,
    CountDraft,
    CountLine,
    DeltaLine,
)
from app.modules.inventory.service.correct import adjust, count
from app.modules.orders.events import FulfillmentCancelRequested, OrderCancelled
from app.modules.orders.models.life import FulfillmentStatus, OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.hold import confirm, expire_due, extend
from tests.domain.post import Post
from tests.inventory.sample import keep, locate, stock_at
from tests.orders.sample import (
    CLERK,
    catalogue,
    draft,
    fulfilling,
    manual,
    overdue,
    placed,
    stored,
    unfulfilling,
)

SPLIT = ("MUG", 25)
"""More than lies at one location."""


async def every_life(database: Database) -> Post:
    """Let orders come to rest after every kind of life; some are held still, none is on its way."""
    post = Post(database)
    await post.open()
    await _stocked(database)
    lives = [
        *(draft(("MUG", 1), ("HAT", 2)) for _ in range(5)),
        draft(SPLIT),
        draft(SPLIT, ("HAT", 1)),
        draft(("MUG", 9999)),
        draft(("MUG", 2)),
        *(manual(("MUG", 3)) for _ in range(5)),
    ]
    ids = [order.id for order in await placed(database, *lives)]
    auto, taken_back, part, stayed, dead = ids[:5]
    split, gone, short, rest = ids[5:9]
    held, bought, let_go, late, off = ids[9:]
    await _cancelled(database, dead)
    await post.overtake(OrderCancelled)
    await post.deliver_all()

    async with database.write() as session:
        await confirm(session, bought, CLERK)
        await extend(session, held, CLERK, seconds=3600, limit_s=7200)
    await overdue(database, late)
    async with database.write() as session:
        assert await expire_due(session) == 1
    for order_id in (let_go, taken_back, off):
        await _cancelled(database, order_id)
    await fulfilling(database, part, ("HAT", 1))
    await fulfilling(database, gone, ("MUG", 24))
    await fulfilling(database, rest, ("MUG", 1))
    unsent = await fulfilling(database, stayed)
    await unfulfilling(database, stayed, unsent.id)
    await post.overtake(FulfillmentCancelRequested)
    await post.deliver_all()
    await fulfilling(database, gone)
    await _cancelled(database, rest)
    await fulfilling(database, stayed, ("MUG", 1))
    await _corrected(database)
    await post.deliver_all()

    for order_id, status in {
        auto: OrderStatus.CONFIRMED,
        taken_back: OrderStatus.CANCELLED,
        dead: OrderStatus.CANCELLED,
        part: OrderStatus.CONFIRMED,
        stayed: OrderStatus.CONFIRMED,
        split: OrderStatus.CONFIRMED,
        gone: OrderStatus.FULFILLED,
        short: OrderStatus.REJECTED,
        rest: OrderStatus.CANCELLED,
        held: OrderStatus.RESERVED,
        bought: OrderStatus.CONFIRMED,
        let_go: OrderStatus.CANCELLED,
        late: OrderStatus.EXPIRED,
        off: OrderStatus.CANCELLED,
    }.items():
        assert (await stored(database, order_id)).status is status
    assert _moved(await stored(database, stayed)) == ["cancelled", "issued"]
    assert _moved(await stored(database, gone)) == ["issued", "issued"]
    return post


def _moved(order: PlacedOrder) -> list[FulfillmentStatus]:
    return [one.status for one in order.fulfillments]


async def _cancelled(database: Database, order_id: str) -> None:
    async with database.write() as session:
        await cancel(session, order_id, CLERK, reason="changed my mind")


async def _stocked(database: Database) -> None:
    await catalogue(database, MUG=425, HAT=900)
    await locate(database, near=0, far=1)
    await stock_at(database, "near", MUG=40, HAT=15)
    await stock_at(database, "far", MUG=40)
    await keep(database, "HAT", safety=1, low=3)


async def _corrected(database: Database) -> None:
    async with database.write() as session:
        lines = [DeltaLine(sku="MUG", location="far", delta=-1)]
        await adjust(session, [AdjustmentDraft(lines=lines, reason="broken")])
    async with database.write() as session:
        counted = [CountLine(sku="HAT", location="near", on_hand=14, expected_on_hand=None)]
        await count(session, [CountDraft(lines=counted, reason="yearly")])
