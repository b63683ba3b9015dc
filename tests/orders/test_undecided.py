"""The decision deadline: it runs once everybody has heard of the order, so outages cancel nothing.

Deliveries are done by hand here, row by row: what the relay and the consumers would write.
"""

from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import delivery as owed, inbox, outbox
from app.bus.event import Event
from app.bus.sql import later
from app.bus.subscriber import Subscriber
from app.bus.tables import (
    delivery as delivery_rows,
    inbox as inbox_rows,
    outbox as outbox_rows,
    subscription,
)
from app.db import Database
from app.modules.inventory.events import StockReserved
from app.modules.orders.events import OrderCancelled, OrderCreated
from app.modules.orders.models.life import Action, OrderStatus
from app.modules.orders.models.tables import orders
from app.modules.orders.service.hold import UNDECIDED, cancel_undecided
from tests.bus.sample import subscribed
from tests.orders.sample import (
    answer,
    catalogue,
    check_history,
    draft,
    history,
    placed,
    published,
    reserved,
    stored,
    two_databases,
)
from tests.transactions import counted

DEADLINE_S = 60


def ears(name: str, *kinds: type[Event]) -> Subscriber:
    """Return a subscriber to these kinds."""

    async def hear(event: Event, session: AsyncSession) -> None:
        """Do nothing."""

    subscriber = Subscriber(name)
    subscriber.on(*kinds)(hear)
    return subscriber


pytestmark = two_databases


@pytest.fixture(autouse=True)
async def bus(database: Database) -> None:
    """Register who listens: inventory and an audit to new orders, orders to inventory."""
    await catalogue(database, MUG=425)
    await subscribed(
        database,
        ears("inventory", OrderCreated),
        ears("audit", OrderCreated),
        ears("orders", StockReserved),
    )


async def relayed(database: Database) -> None:
    """Publish whatever waits."""
    async with database.write() as session:
        page = await outbox.unpublished(session, 1000)
        await outbox.mark_published(session, page, [f"1-{n}" for n in range(len(page))])


async def handled(database: Database, subscriber: str, *event_ids: UUID) -> None:
    """Write that a subscriber has handled these events."""
    async with database.write() as session:
        assert await inbox.take(session, subscriber, event_ids) == set(event_ids)


async def hours_pass(database: Database) -> None:
    """Let everything so far be of an hour ago."""
    async with database.write() as session:
        for column in (outbox_rows.c.created_at, inbox_rows.c.handled_at, orders.c.created_at):
            change = column.table.update().where(column > later(-1800))
            await session.execute(change.values({column: later(-3600)}))


async def created(database: Database, count: int = 1) -> dict[str, UUID]:
    """Place orders whose creation is on the stream, and return its event by order."""
    await placed(database, *(draft(("MUG", 1)) for _ in range(count)))
    await relayed(database)
    said = [one for one in await published(database) if isinstance(one, OrderCreated)]
    return {one.order_id: one.id for one in said[-count:]}


async def everybody_heard(database: Database, *event_ids: UUID) -> None:
    for subscriber in ("inventory", "audit"):
        await handled(database, subscriber, *event_ids)


async def swept(database: Database) -> int:
    """Sweep once."""
    async with database.write() as session:
        return await cancel_undecided(session, DEADLINE_S)


async def status(database: Database, order_id: str) -> OrderStatus:
    return (await stored(database, order_id)).status


async def test_what_everybody_heard_of_and_nobody_decided_is_cancelled_once(
    database: Database,
) -> None:
    heard = await created(database, 3)
    await everybody_heard(database, *heard.values())
    first, *_, decided = heard
    await answer(database, reserved(decided))
    await relayed(database)
    assert await swept(database) == 0
    await hours_pass(database)

    with counted(database) as statements:
        assert await swept(database) == 2
    assert await swept(database) == 0

    order = await stored(database, first)
    assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, UNDECIDED)
    assert await status(database, decided) is OrderStatus.CONFIRMED
    told = [one for one in await published(database) if isinstance(one, OrderCancelled)]
    assert {(one.order_id, one.reason) for one in told} == {
        (order_id, "undecided") for order_id in heard if order_id != decided
    }
    last = (await history(database, first))[-1]
    assert (last.action, last.actor, last.detail) == (Action.CANCEL, None, {"reason": "undecided"})
    await check_history(database, first)
    assert len([text for text in statements if not text.startswith("BEGIN")]) == 5


async def test_r8_stock_that_comes_after_the_deadline_changes_nothing(database: Database) -> None:
    heard = await created(database)
    await everybody_heard(database, *heard.values())
    await hours_pass(database)
    [order_id] = heard
    await swept(database)
    cancelled = await stored(database, order_id)
    said = await published(database)

    await answer(database, reserved(order_id))

    assert await stored(database, order_id) == cancelled
    assert await published(database) == said


async def test_an_order_that_somebody_has_not_heard_of_waits(database: Database) -> None:
    heard = await created(database, 2)
    half, _ = heard
    await handled(database, "inventory", *heard.values())
    await handled(database, "audit", *(id_ for order, id_ in heard.items() if order != half))
    await hours_pass(database)

    assert await swept(database) == 0

    # Late is late, but only for those that heard of it that long ago.
    await handled(database, "audit", heard[half])
    assert await swept(database) == 1
    assert await status(database, half) is OrderStatus.PENDING


async def test_nothing_is_cancelled_while_anything_old_is_on_its_way(database: Database) -> None:
    heard = await created(database)
    await everybody_heard(database, *heard.values())
    [order_id] = heard
    # Inventory has decided and said so: the relay is down, and then orders itself is.
    word = reserved(order_id)
    async with database.write() as session:
        await outbox.publish(session, word)
    await hours_pass(database)
    assert await swept(database) == 0
    await relayed(database)
    assert await swept(database) == 0

    await handled(database, "orders", word.id)

    assert await swept(database) == 1


async def test_an_order_that_the_database_owes_somebody_news_of_waits(database: Database) -> None:
    heard = await created(database, 2)
    await everybody_heard(database, *heard.values())
    waiting, other = heard
    word = reserved(waiting)
    async with database.write() as session:
        await outbox.publish(session, word)
    await relayed(database)
    async with database.write() as session:
        await owed.park(session, "orders", [word.id])
    await hours_pass(database)

    assert await swept(database) == 1

    assert await status(database, waiting) is OrderStatus.PENDING
    assert await status(database, other) is OrderStatus.CANCELLED
    # Given up, it is an operator's; the order need not wait for that.
    async with database.write() as session:
        await session.execute(delivery_rows.update().values(state=owed.State.DEAD))
    assert await swept(database) == 1


async def test_an_order_whose_creation_is_a_dead_letter_waits(database: Database) -> None:
    [(order_id, event_id)] = (await created(database)).items()
    await handled(database, "audit", event_id)
    async with database.write() as session:
        await owed.park(session, "inventory", [event_id])
        await session.execute(delivery_rows.update().values(state=owed.State.DEAD))
    await hours_pass(database)

    assert await swept(database) == 0
    assert await status(database, order_id) is OrderStatus.PENDING


async def test_an_order_nobody_is_to_hear_of_waits(database: Database) -> None:
    heard = await created(database)
    async with database.write() as session:
        # As if everybody had subscribed after it.
        await session.execute(subscription.update().values(since_log_position=10))
    await hours_pass(database)

    assert await swept(database) == 0
    assert await status(database, next(iter(heard))) is OrderStatus.PENDING
