"""Orders and inventory together: whatever is asked, and however the news travels, books agree."""

from collections.abc import Mapping
from random import Random

import pytest
from sqlalchemy import select

from app.bus.event import Envelope, Event
from app.bus.tables import outbox
from app.db import Database
from app.errors import AppError
from app.modules.inventory.handlers import move_stock, subscriber as inventory
from app.modules.orders.handlers import apply_answers, subscriber as orders
from app.modules.orders.models.life import FulfillmentStatus, OrderStatus
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.hold import confirm, expire_due
from app.verify import verify
from tests.inventory.sample import LONG, SAID, check_books, levels, stock
from tests.orders.sample import (
    CLERK,
    KINDS,
    catalogue,
    check_history,
    draft,
    fulfilling,
    manual,
    overdue,
    placed,
    stored,
    unfulfilling,
)

STOCK = {"MUG": 12, "CUP": 9, "HAT": 4}


class Post:
    """Carries what one module says to the other: in any order, and some of it twice."""

    def __init__(self, database: Database, chance: Random) -> None:
        self._database = database
        self._chance = chance
        self._read = 0
        self._waiting: list[Event] = []

    async def collect(self) -> None:
        """Take what was said since the last time."""
        kinds: Mapping[str, type[Event]] = {**KINDS, **SAID}
        async with self._database.read() as session:
            found = await session.execute(
                select(outbox.c.position, outbox.c.type, outbox.c.envelope)
                .where(outbox.c.position > self._read)
                .order_by(outbox.c.position)
            )
        for position, type_, text in found:
            self._read = position
            if type_ in {**orders.handlers, **inventory.handlers}:
                self._waiting.append(Envelope.model_validate_json(text).open(kinds[type_]))

    async def deliver(self, most: int) -> bool:
        """Give up to so many of them to whom they concern; return whether there were any."""
        await self.collect()
        self._chance.shuffle(self._waiting)
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        self._waiting += [event for event in batch if self._chance.random() < 0.2]
        answers = [event for event in batch if event.type in orders.handlers]
        news = [event for event in batch if event.type in inventory.handlers]
        async with self._database.write() as session:
            if news:
                await move_stock(news, session)
            if answers:
                await apply_answers(answers, session)
        return bool(batch)

    async def deliver_all(self) -> None:
        """Go on until nobody has anything to say."""
        while await self.deliver(50):
            pass


async def act(database: Database, order_id: str, chance: Random) -> None:
    """Ask for something about an order, which may well be refused."""
    wish = chance.choice(["confirm", "cancel", "expire", "fulfill", "fulfill", "unfulfill"])
    order = await stored(database, order_id)
    try:
        match wish:
            case "fulfill" if order.open_units:
                line = chance.choice([line for line in order.lines if line.open])
                await fulfilling(database, order_id, (line.sku, chance.randint(1, line.open)))
            case "unfulfill" if order.fulfillments:
                fulfillment = chance.choice(order.fulfillments)
                await unfulfilling(database, order_id, fulfillment.id)
            case "expire" if order.status is OrderStatus.RESERVED:
                await overdue(database, order_id)
                async with database.write() as session:
                    await expire_due(session)
            case "confirm":
                async with database.write() as session:
                    await confirm(session, order_id, CLERK)
            case "cancel":
                async with database.write() as session:
                    await cancel(session, order_id, CLERK, reason="chance")
    except AppError:
        pass


@pytest.mark.parametrize("seed", range(100 if LONG else 1))
async def test_whatever_happens_the_books_agree_and_every_exit_releases(
    database: Database, seed: int
) -> None:
    chance = Random(seed)
    post = Post(database, chance)
    await catalogue(database, **dict.fromkeys(STOCK, 100))
    await stock(database, **STOCK)
    ids: list[str] = []
    for _ in range(60):
        if chance.random() < 0.25:
            skus = chance.sample(sorted(STOCK), chance.randint(1, 3))
            lines = [(sku, chance.randint(1, 3)) for sku in skus]
            wanted = draft(*lines) if chance.random() < 0.5 else manual(*lines)
            [order] = await placed(database, wanted)
            ids.append(order.id)
        elif ids and chance.random() < 0.6:
            await act(database, chance.choice(ids), chance)
        else:
            await post.deliver(chance.randint(1, 6))
    await post.deliver_all()
    await check_at_rest(database, ids)

    # Everything ends: what nobody wants leaves the books, and the rest leaves the house.
    for order_id in ids:
        while (await stored(database, order_id)).allowed_actions:
            await act(database, order_id, chance)
            await post.deliver(2)
    await post.deliver_all()
    await check_at_rest(database, ids)

    gone = dict.fromkeys(STOCK, 0)
    for order_id in ids:
        for line in (await stored(database, order_id)).lines:
            gone[line.sku] += line.fulfilled
    assert await levels(database) == {sku: (STOCK[sku] - gone[sku], 0) for sku in STOCK}
    assert len(ids) > 5
    assert sum(gone.values()) or seed  # in the one that always runs, something left


async def check_at_rest(database: Database, order_ids: list[str]) -> None:
    """Assert that nothing waits for anybody but people, and that everything agrees."""
    for order_id in order_ids:
        order = await stored(database, order_id)
        assert order.status is not OrderStatus.PENDING
        for fulfillment in order.fulfillments:
            assert fulfillment.status in {FulfillmentStatus.ISSUED, FulfillmentStatus.CANCELLED}
        await check_history(database, order_id)
    await check_books(database)
    report = await verify(database, None, second_look_s=0)
    assert {name: found for name, found in report.offenders.items() if found} == {}
