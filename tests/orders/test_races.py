"""Two at once about one order: its row decides, and there is one winner."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.db import Database
from app.errors import AppError
from app.modules.orders.events import (
    FulfillmentRequested,
    HoldConfirmed,
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
)
from app.modules.orders.handlers import apply_answers
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.command import Caller
from app.modules.orders.service.fulfill import FulfillmentDraft, cancel_fulfillment, fulfill
from app.modules.orders.service.hold import confirm, expire_due, extend
from tests.orders.sample import (
    CLERK,
    answer,
    catalogue,
    check_history,
    fulfilling,
    issued,
    overdue,
    published,
    reserved,
    standing_at,
    stored,
    voided,
)
from tests.transactions import Work, at_once, blocked, holding


@pytest.fixture(autouse=True)
async def products(database: Database) -> None:
    """Make the product that these tests order."""
    await catalogue(database, MUG=425)


def confirming(order_id: str) -> Work:
    return partial(confirm, order_id=order_id, caller=CLERK)


def cancelling(order_id: str) -> Work:
    return partial(cancel, order_id=order_id, caller=CLERK, reason="race")


def fulfilling_all(order_id: str) -> Work:
    return partial(fulfill, order_id=order_id, caller=CLERK, draft=FulfillmentDraft())


def hearing(*answers: Event) -> Work:
    async def hear(session: AsyncSession) -> None:
        await apply_answers(answers, session)

    return hear


async def raced(database: Database, first: Work, second: Work) -> str | None:
    """Start second while first has done its work but not committed; return second's refusal."""
    refused: list[str] = []

    async def run() -> None:
        try:
            async with database.write() as session:
                await second(session)
        except AppError as error:
            refused.append(error.code)

    async with holding(database, first) as others:
        others.start_soon(run)
        await blocked(database)
    return refused[0] if refused else None


async def kinds(database: Database) -> list[type]:
    """Return what was said after the order was reserved."""
    return [type(event) for event in (await published(database))[2:]]


async def test_r4_of_expire_and_confirm_the_first_wins(database: Database) -> None:
    one = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, one)
    # A sweep that finds the row locked passes over it, and does not wait.
    async with database.write() as session:
        assert await expire_due(session) == 1
    two = await standing_at(database, OrderStatus.RESERVED)
    await overdue(database, two)

    assert await raced(database, expire_due, confirming(two)) == "order_state_conflict"

    assert (await stored(database, two)).status is OrderStatus.EXPIRED
    for order_id in (one, two):
        await check_history(database, order_id)


async def test_r4_of_many_sweeps_and_confirms_one_wins(database: Database) -> None:
    ids = [await standing_at(database, OrderStatus.RESERVED) for _ in range(10)]
    await overdue(database, *ids)
    refused: list[str] = []

    async def try_it(work: Callable[[], Work]) -> None:
        try:
            async with database.write() as session:
                await work()(session)
        except AppError as error:
            refused.append(error.code)

    await at_once(
        database,
        *(partial(try_it, lambda: partial(expire_due, limit=3)) for _ in range(4)),
        *(partial(try_it, partial(confirming, order_id)) for order_id in ids),
    )

    said = await published(database)
    won = {one.order_id for one in said if isinstance(one, OrderConfirmed)}
    lost = {one.order_id for one in said if isinstance(one, OrderExpired)}
    assert not won & lost
    assert refused == ["order_state_conflict"] * len(lost)
    for order_id in ids:
        expected = OrderStatus.CONFIRMED if order_id in won else OrderStatus.EXPIRED
        assert (await stored(database, order_id)).status is expected
        await check_history(database, order_id)


async def test_r5_of_confirm_and_cancel_a_cancel_that_is_first_leaves_nothing_to_confirm(
    database: Database,
) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)

    code = await raced(database, cancelling(order_id), confirming(order_id))

    assert code == "order_state_conflict"
    assert await kinds(database) == [OrderCancelled]
    await check_history(database, order_id)


async def test_r5_of_confirm_and_cancel_the_later_one_names_the_version_it_saw(
    database: Database,
) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    seen = Caller(versions={2})
    stale = partial(cancel, order_id=order_id, caller=seen, reason="race")

    assert await raced(database, confirming(order_id), stale) == "precondition_failed"
    # Without a version, cancelling what was confirmed a moment ago is simply next.
    async with database.write() as session:
        await cancelling(order_id)(session)

    assert await kinds(database) == [HoldConfirmed, OrderConfirmed, OrderCancelled]
    await check_history(database, order_id)


async def test_r6_of_ship_and_cancel_the_first_wins(database: Database) -> None:
    shipped = await standing_at(database, OrderStatus.CONFIRMED)
    code = await raced(database, fulfilling_all(shipped), cancelling(shipped))
    assert code == "order_state_conflict"
    assert (await stored(database, shipped)).moving_units == 2

    cancelled = await standing_at(database, OrderStatus.CONFIRMED)
    code = await raced(database, cancelling(cancelled), fulfilling_all(cancelled))
    assert code == "order_state_conflict"
    order = await stored(database, cancelled)
    assert (order.moving_units, order.fulfillments) == (0, ())


async def test_r6_the_same_units_are_shipped_once(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)

    code = await raced(database, fulfilling_all(order_id), fulfilling_all(order_id))

    assert code == "order_state_conflict"
    assert (await kinds(database)).count(FulfillmentRequested) == 1
    [line] = (await stored(database, order_id)).lines
    assert (line.open, line.fulfilling) == (0, 2)


async def test_r10_of_cancel_and_issue_inventorys_answer_counts(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    fulfillment = await fulfilling(database, order_id)
    left = hearing(issued(order_id, fulfillment.id))
    stay = partial(
        cancel_fulfillment, order_id=order_id, fulfillment_id=fulfillment.id, caller=CLERK
    )

    assert await raced(database, left, stay) == "fulfillment_issued"

    assert (await stored(database, order_id)).status is OrderStatus.FULFILLED


async def test_stock_and_cancel_at_once_end_in_a_cancelled_order_that_says_so_once(
    database: Database,
) -> None:
    order_id = await standing_at(database, OrderStatus.PENDING)
    held = hearing(reserved(order_id))

    assert await raced(database, held, cancelling(order_id)) is None
    other = await standing_at(database, OrderStatus.PENDING)
    late = hearing(reserved(other))
    assert await raced(database, cancelling(other), late) is None

    for id_ in (order_id, other):
        assert (await stored(database, id_)).status is OrderStatus.CANCELLED
        await check_history(database, id_)
    assert (await kinds(database)).count(OrderCancelled) == 2


async def test_parallel_commands_on_one_version(database: Database) -> None:
    order_id = await standing_at(database, OrderStatus.RESERVED)
    refused: list[str] = []

    async def hold_on(seconds: int) -> None:
        try:
            async with database.write() as session:
                await extend(
                    session, order_id, Caller(versions={2}), seconds=seconds, limit_s=10**6
                )
        except AppError as error:
            refused.append(error.code)

    await at_once(database, *(partial(hold_on, 1000 + number) for number in range(10)))

    assert refused == ["precondition_failed"] * 9
    assert (await stored(database, order_id)).version == 3


async def test_mixed_answers_from_both_ends_never_wait_for_each_other(database: Database) -> None:
    """Verdicts and conclusions in one batch lock their orders in one order."""
    pending = [await standing_at(database, OrderStatus.PENDING) for _ in range(4)]
    moving = [await standing_at(database, OrderStatus.CONFIRMED) for _ in range(4)]
    pairs = [(id_, (await fulfilling(database, id_)).id) for id_ in moving]
    said = [
        *(reserved(id_) for id_ in pending),
        *(voided(*pair) for pair in pairs),
    ]

    await at_once(
        database,
        *(partial(answer, database, *said) for _ in range(6)),
        *(partial(answer, database, *said[::-1]) for _ in range(6)),
    )

    for id_ in pending:
        assert (await stored(database, id_)).version == 2
    for id_ in moving:
        assert (await stored(database, id_)).version == 5
