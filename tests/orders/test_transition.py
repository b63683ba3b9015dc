"""The table of transitions: every action at every status, and the timeline they leave."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import pytest

from app.db import Database
from app.modules.orders.errors import OrderStateConflictError
from app.modules.orders.models.life import TRANSITIONS, Action, OrderStatus
from app.modules.orders.models.order import PlacedOrder
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.fulfill import FulfillmentDraft, fulfill
from app.modules.orders.service.hold import confirm, extend
from app.modules.orders.service.transition import Step, lock, move
from tests.orders.sample import (
    CLERK,
    catalogue,
    check_history,
    draft,
    history,
    placed,
    put_at,
    reserved,
    stored,
)
from tests.transactions import at_once, counted

ALLOWED = {
    (Action.RESERVE, OrderStatus.PENDING): OrderStatus.RESERVED,
    (Action.CONFIRM, OrderStatus.PENDING): OrderStatus.CONFIRMED,
    (Action.CONFIRM, OrderStatus.RESERVED): OrderStatus.CONFIRMED,
    (Action.REJECT, OrderStatus.PENDING): OrderStatus.REJECTED,
    (Action.EXTEND, OrderStatus.RESERVED): OrderStatus.RESERVED,
    (Action.EXPIRE, OrderStatus.RESERVED): OrderStatus.EXPIRED,
    (Action.CANCEL, OrderStatus.PENDING): OrderStatus.CANCELLED,
    (Action.CANCEL, OrderStatus.RESERVED): OrderStatus.CANCELLED,
    (Action.CANCEL, OrderStatus.CONFIRMED): OrderStatus.CANCELLED,
    (Action.FULFILL, OrderStatus.CONFIRMED): OrderStatus.CONFIRMED,
    (Action.CANCEL_FULFILLMENT, OrderStatus.CONFIRMED): OrderStatus.CONFIRMED,
    (Action.FULFILLMENT_ISSUED, OrderStatus.CONFIRMED): OrderStatus.CONFIRMED,
    (Action.FULFILLMENT_CANCELLED, OrderStatus.CONFIRMED): OrderStatus.CONFIRMED,
    (Action.COMPLETE, OrderStatus.CONFIRMED): OrderStatus.FULFILLED,
}
"""Written out once more, so that a change of the table is a change of two places."""

EVERYTHING = [(action, status) for action in Action for status in OrderStatus]


async def orders(database: Database, count: int) -> list[PlacedOrder]:
    """Place as many orders of two mugs."""
    await catalogue(database, MUG=425)
    return await placed(database, *(draft(("MUG", 2)) for _ in range(count)))


async def moved(database: Database, *steps: Step) -> list[Step]:
    """Move orders in one transaction."""
    async with database.write() as session:
        found = await lock(session, [step.order_id for step in steps])
        return await move(session, found, steps)


def test_the_table_knows_every_action() -> None:
    assert set(TRANSITIONS) == set(Action)


async def test_every_action_at_every_status_does_what_the_table_says(database: Database) -> None:
    every = await orders(database, len(EVERYTHING))
    cases = list(zip(every, EVERYTHING, strict=True))
    for order, (_, status) in cases:
        await put_at(database, order.id, status)

    taken = await moved(
        database, *(Step(order_id=order.id, action=action) for order, (action, _) in cases)
    )

    assert [one.order_id for one in taken] == [order.id for order, case in cases if case in ALLOWED]
    for order, case in cases:
        now = await stored(database, order.id)
        entries = await history(database, order.id)
        if case in ALLOWED:
            assert (now.status, now.version) == (ALLOWED[case], 2), case
            assert entries[-1].action is case[0]
            assert (entries[-1].from_status, entries[-1].to_status) == (case[1], now.status)
        else:
            assert (now.status, now.version) == (case[1], 1), case
            assert len(entries) == 1


COMMANDS: Mapping[Action, Callable[..., Coroutine[Any, Any, object]]] = {
    Action.CONFIRM: partial(confirm, caller=CLERK),
    Action.EXTEND: partial(extend, caller=CLERK, limit_s=10**6),
    Action.CANCEL: partial(cancel, caller=CLERK, reason="changed my mind"),
    Action.FULFILL: partial(fulfill, caller=CLERK, draft=FulfillmentDraft()),
}
ASKED = {
    OrderStatus.PENDING: [Action.CANCEL],
    OrderStatus.RESERVED: [Action.CONFIRM, Action.EXTEND, Action.CANCEL],
    OrderStatus.CONFIRMED: [Action.CANCEL, Action.FULFILL],
}


async def test_what_may_be_asked_is_what_is_shown_and_the_rest_is_refused(
    database: Database,
) -> None:
    every = await orders(database, len(COMMANDS) * len(OrderStatus))
    cases = [(action, status) for action in COMMANDS for status in OrderStatus]
    for order, (action, status) in zip(every, cases, strict=True):
        await put_at(database, order.id, status)
        allowed = ASKED.get(status, [])
        assert (await stored(database, order.id)).allowed_actions == allowed

        async with database.write() as session:
            if action in allowed:
                await COMMANDS[action](session, order.id)
                continue
            with pytest.raises(OrderStateConflictError) as refused:
                await COMMANDS[action](session, order.id)

        assert refused.value.extra == {"current_status": status, "allowed_actions": allowed}
        assert (await stored(database, order.id)).version == 1


async def test_steps_of_one_order_are_taken_in_the_order_they_come(database: Database) -> None:
    one, two = await orders(database, 2)

    taken = await moved(
        database,
        Step(order_id=two.id, action=Action.CANCEL, cancel_reason="first"),
        Step(order_id=one.id, action=Action.RESERVE, hold_s=60),
        Step(order_id="ord_unknown", action=Action.CANCEL),
        Step(order_id=one.id, action=Action.CONFIRM, actor="clerk"),
        Step(order_id=two.id, action=Action.CONFIRM),
        Step(order_id=one.id, action=Action.EXPIRE),
    )

    assert [step.action for step in taken] == [Action.CANCEL, Action.RESERVE, Action.CONFIRM]
    first, second = await stored(database, one.id), await stored(database, two.id)
    assert (first.status, first.version, first.cancel_reason) == (OrderStatus.CONFIRMED, 3, None)
    assert (second.status, second.version, second.cancel_reason) == (
        OrderStatus.CANCELLED,
        2,
        "first",
    )
    for order in (one, two):
        await check_history(database, order.id)


async def test_the_timeline_says_what_and_when_and_who_or_which_event(database: Database) -> None:
    [order] = await orders(database, 1)
    cause = reserved(order.id)

    await moved(
        database,
        Step(order_id=order.id, action=Action.CONFIRM, cause=cause),
        Step(order_id=order.id, action=Action.CANCEL, actor="clerk", detail={"reason": "é"}),
    )

    place, confirmed, cancelled = await history(database, order.id)
    assert (place.action, place.from_status, place.latency_ms) == (Action.PLACE, None, None)
    assert place.at >= order.created_at
    assert (confirmed.event_id, confirmed.event_type) == (cause.id, cause.type)
    assert confirmed.actor is None
    assert confirmed.latency_ms is not None
    assert (cancelled.actor, cancelled.event_id) == ("clerk", None)
    assert cancelled.detail == {"reason": "é"}


async def test_versions_have_no_gap_when_many_move_at_once(database: Database) -> None:
    every = await orders(database, 5)

    def steps(action: Action, *, backwards: bool) -> list[Step]:
        ids = [order.id for order in every]
        return [Step(order_id=id_, action=action) for id_ in (ids[::-1] if backwards else ids)]

    async def run(action: Action, *, backwards: bool) -> None:
        await moved(database, *steps(action, backwards=backwards))

    for order in every:
        await put_at(database, order.id, OrderStatus.CONFIRMED)
    # A deadlock would raise here, and end the storm.
    await at_once(
        database,
        *(partial(run, Action.FULFILL, backwards=False) for _ in range(8)),
        *(partial(run, Action.CANCEL_FULFILLMENT, backwards=True) for _ in range(8)),
    )

    for order in every:
        assert (await stored(database, order.id)).version == 17
        assert [one.version for one in await history(database, order.id)] == list(range(1, 18))


async def test_a_batch_costs_as_many_statements_as_one_step(database: Database) -> None:
    first, *rest = await orders(database, 101)

    with counted(database) as one:
        await moved(database, Step(order_id=first.id, action=Action.CONFIRM))
    with counted(database) as many:
        await moved(
            database,
            *(Step(order_id=order.id, action=Action.RESERVE, hold_s=60) for order in rest),
            *(Step(order_id=order.id, action=Action.CANCEL, cancel_reason="x") for order in rest),
        )
    with counted(database) as none:
        await moved(database, Step(order_id=first.id, action=Action.RESERVE))

    assert len([text for text in one if not text.startswith("BEGIN")]) == 3
    assert len(many) == len(one)
    assert len([text for text in none if not text.startswith("BEGIN")]) == 1
