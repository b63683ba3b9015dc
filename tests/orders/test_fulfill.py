"""Fulfilling: no unit twice, none lost, whatever is asked for, answered, repeated or late."""

from random import Random

import pytest

from app.db import Database
from app.modules.orders.errors import (
    ExceedsOpenQuantityError,
    FulfillmentIssuedError,
    FulfillmentNotFoundError,
    OrderNotFoundError,
    OrderStateConflictError,
    PreconditionFailedError,
)
from app.modules.orders.events import (
    FulfillmentCancelRequested,
    FulfillmentRequested,
    OrderedLine,
    OrderFulfilled,
)
from app.modules.orders.models.life import Action, FulfillmentStatus, OrderStatus
from app.modules.orders.service.command import Caller
from tests.orders.sample import (
    answer,
    catalogue,
    check_history,
    fulfilling,
    history,
    issued,
    published,
    standing_at,
    stored,
    two_databases,
    unfulfilling,
    voided,
)
from tests.transactions import counted

pytestmark = two_databases


@pytest.fixture(autouse=True)
async def products(database: Database) -> None:
    """Make the products that these tests order."""
    await catalogue(database, MUG=425, CUP=199)


async def confirmed(database: Database) -> str:
    """Return the id of a confirmed order of three mugs and two cups."""
    return await standing_at(database, OrderStatus.CONFIRMED, ("MUG", 3), ("CUP", 2))


async def lines(database: Database, order_id: str) -> dict[str, tuple[int, int, int]]:
    """Return the units of each line: open, on their way, gone."""
    order = await stored(database, order_id)
    return {line.sku: (line.open, line.fulfilling, line.fulfilled) for line in order.lines}


async def test_all_that_is_open_is_asked_for_and_issued(database: Database) -> None:
    order_id = await confirmed(database)

    fulfillment = await fulfilling(database, order_id, tracking="T-1")

    assert (fulfillment.status, fulfillment.tracking) == (FulfillmentStatus.REQUESTED, "T-1")
    assert fulfillment.lines == {"MUG": 3, "CUP": 2}
    order = await stored(database, order_id)
    assert order.fulfillments == (fulfillment,)
    assert (order.status, order.allowed_actions) == (OrderStatus.CONFIRMED, [])
    event = (await published(database))[-1]
    assert isinstance(event, FulfillmentRequested)
    assert event.fulfillment_id == fulfillment.id
    assert event.lines == (
        OrderedLine(sku="MUG", quantity=3),
        OrderedLine(sku="CUP", quantity=2),
    )

    cause = issued(order_id, fulfillment.id)
    await answer(database, cause)

    order = await stored(database, order_id)
    assert order.status is OrderStatus.FULFILLED
    assert order.fulfillments[0].status is FulfillmentStatus.ISSUED
    assert await lines(database, order_id) == {"MUG": (0, 0, 3), "CUP": (0, 0, 2)}
    assert isinstance((await published(database))[-1], OrderFulfilled)
    done = (await history(database, order_id))[-2:]
    assert [one.action for one in done] == [Action.FULFILLMENT_ISSUED, Action.COMPLETE]
    assert [one.event_id for one in done] == [cause.id] * 2
    assert done[0].detail == {"fulfillment_id": fulfillment.id}
    await check_history(database, order_id)


async def test_an_order_is_fulfilled_with_its_last_unit(database: Database) -> None:
    order_id = await confirmed(database)
    one = await fulfilling(database, order_id, ("MUG", 1), ("CUP", 1), ("MUG", 1))
    two = await fulfilling(database, order_id)
    assert (one.lines, two.lines) == ({"MUG": 2, "CUP": 1}, {"MUG": 1, "CUP": 1})

    await answer(database, issued(order_id, two.id))

    assert (await stored(database, order_id)).status is OrderStatus.CONFIRMED
    assert await lines(database, order_id) == {"MUG": (0, 2, 1), "CUP": (0, 1, 1)}

    await answer(database, issued(order_id, one.id))

    assert (await stored(database, order_id)).status is OrderStatus.FULFILLED
    assert [type(event) for event in await published(database)].count(OrderFulfilled) == 1


async def test_more_than_is_open_is_refused_line_by_line(database: Database) -> None:
    order_id = await confirmed(database)
    await fulfilling(database, order_id, ("MUG", 2))
    before = await stored(database, order_id)

    with pytest.raises(ExceedsOpenQuantityError) as refused:
        await fulfilling(database, order_id, ("MUG", 1), ("MUG", 1), ("CUP", 2), ("HAT", 1))

    assert refused.value.extra == {
        "lines": [
            {"sku": "MUG", "requested": 2, "open": 1},
            {"sku": "HAT", "requested": 1, "open": 0},
        ]
    }
    assert await stored(database, order_id) == before


async def test_an_order_with_nothing_open_has_nothing_to_fulfill(database: Database) -> None:
    order_id = await confirmed(database)
    await fulfilling(database, order_id)

    with pytest.raises(OrderStateConflictError) as refused:
        await fulfilling(database, order_id)

    assert refused.value.detail == "Every unit of the order is in a fulfillment."


async def test_r10_a_fulfillment_cancelled_before_its_issue_is_open_again(
    database: Database,
) -> None:
    order_id = await confirmed(database)
    fulfillment = await fulfilling(database, order_id, ("MUG", 2))

    cancelling = await unfulfilling(database, order_id, fulfillment.id)

    assert cancelling.status is FulfillmentStatus.CANCELLING
    assert isinstance((await published(database))[-1], FulfillmentCancelRequested)
    assert await lines(database, order_id) == {"MUG": (1, 2, 0), "CUP": (2, 0, 0)}

    await answer(database, voided(order_id, fulfillment.id))

    assert await lines(database, order_id) == {"MUG": (3, 0, 0), "CUP": (2, 0, 0)}
    order = await stored(database, order_id)
    assert order.fulfillments[0].status is FulfillmentStatus.CANCELLED
    assert order.allowed_actions == [Action.CANCEL, Action.FULFILL]
    await check_history(database, order_id)


async def test_a_cancel_that_comes_too_late_ends_as_issued(database: Database) -> None:
    order_id = await confirmed(database)
    fulfillment = await fulfilling(database, order_id)
    await unfulfilling(database, order_id, fulfillment.id)

    await answer(database, issued(order_id, fulfillment.id), voided(order_id, fulfillment.id))

    assert (await stored(database, order_id)).status is OrderStatus.FULFILLED
    with pytest.raises(FulfillmentIssuedError):
        await unfulfilling(database, order_id, fulfillment.id)


async def test_a_cancel_twice_is_one(database: Database) -> None:
    order_id = await confirmed(database)
    fulfillment = await fulfilling(database, order_id)
    first = await unfulfilling(database, order_id, fulfillment.id)
    said = await published(database)

    assert await unfulfilling(database, order_id, fulfillment.id) == first
    await answer(database, voided(order_id, fulfillment.id))
    again = await unfulfilling(database, order_id, fulfillment.id)

    assert again.status is FulfillmentStatus.CANCELLED
    assert await published(database) == said


async def test_inventory_that_held_nothing_cancels_by_itself(database: Database) -> None:
    order_id = await confirmed(database)
    fulfillment = await fulfilling(database, order_id)

    await answer(database, voided(order_id, fulfillment.id, reason="not_held"))

    assert await lines(database, order_id) == {"MUG": (3, 0, 0), "CUP": (2, 0, 0)}
    assert (await stored(database, order_id)).status is OrderStatus.CONFIRMED


async def test_an_answer_about_what_nobody_knows_changes_nothing(database: Database) -> None:
    order_id, other = await confirmed(database), await confirmed(database)
    fulfillment = await fulfilling(database, order_id)
    before = await stored(database, order_id)

    await answer(
        database,
        issued(order_id, "ful_unknown"),
        issued("ord_unknown", fulfillment.id),
        issued(other, fulfillment.id),
        voided(other, fulfillment.id),
    )

    assert await stored(database, order_id) == before
    assert (await stored(database, other)).version == 3


async def test_what_is_not_the_callers_is_refused(database: Database) -> None:
    order_id, other = await confirmed(database), await confirmed(database)
    fulfillment = await fulfilling(database, order_id)

    with pytest.raises(FulfillmentNotFoundError):
        await unfulfilling(database, other, fulfillment.id)
    with pytest.raises(OrderNotFoundError):
        await unfulfilling(database, order_id, fulfillment.id, Caller(customer_id="c-2"))
    with pytest.raises(PreconditionFailedError):
        await unfulfilling(database, order_id, fulfillment.id, Caller(versions={3}))

    assert (await stored(database, order_id)).fulfillments == (fulfillment,)


async def test_fulfil_cancel_refulfil_cycle(database: Database) -> None:
    """Any sequence of asking and answering, repeats included, keeps every unit in one place."""
    order_id = await confirmed(database)
    chance = Random(5)
    known: list[str] = []
    gone: set[str] = set()
    for _ in range(40):
        order = await stored(database, order_id)
        wanted = [(line.sku, chance.randint(1, line.open)) for line in order.lines if line.open]
        match chance.choice(["fulfill", "cancel", "issue", "void"]):
            case "fulfill" if wanted:
                known.append((await fulfilling(database, order_id, chance.choice(wanted))).id)
            case "cancel" if known and (one := chance.choice(known)) not in gone:
                await unfulfilling(database, order_id, one)
            case "issue" if len(known) > 5:
                one = chance.choice(known)
                await answer(database, *[issued(order_id, one)] * 2)
            case "void" if known:
                await answer(database, *[voided(order_id, chance.choice(known))] * 2)
        order = await stored(database, order_id)
        states = {one.id: one for one in order.fulfillments}
        gone = {id_ for id_, one in states.items() if one.status is FulfillmentStatus.ISSUED}
        for line in order.lines:
            moving = {
                status: sum(
                    one.lines.get(line.sku, 0) for one in order.fulfillments if one.status is status
                )
                for status in FulfillmentStatus
            }
            assert line.fulfilled == moving[FulfillmentStatus.ISSUED]
            assert line.fulfilling == (
                moving[FulfillmentStatus.REQUESTED] + moving[FulfillmentStatus.CANCELLING]
            )
            assert line.open >= 0

    assert len(known) > 5
    if order.open_units:
        known.append((await fulfilling(database, order_id)).id)
    await answer(database, *(issued(order_id, one) for one in known))
    assert (await stored(database, order_id)).status is OrderStatus.FULFILLED
    assert await lines(database, order_id) == {"MUG": (0, 0, 3), "CUP": (0, 0, 2)}
    await check_history(database, order_id)


async def test_a_batch_of_answers_costs_as_many_statements_as_one(database: Database) -> None:
    ids = [await confirmed(database) for _ in range(6)]
    pairs = [(order_id, (await fulfilling(database, order_id)).id) for order_id in ids]

    with counted(database) as one:
        await answer(database, issued(*pairs[0]))
    with counted(database) as many:
        await answer(database, *(issued(*pair) for pair in pairs[1:]))

    assert len([text for text in one if not text.startswith("BEGIN")]) == 8
    assert len(many) == len(one)
    assert (await stored(database, ids[-1])).status is OrderStatus.FULFILLED
