"""The witness: silent when clients were told what is there, and loud for each way to differ."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app.db import Database
from app.modules.inventory.models.drafts import AdjustmentDraft, DeltaLine
from app.modules.inventory.service.correct import adjust
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.cancel import cancel
from tests.faults.checks import ORDERS_AT_REST, broken, commands_witnessed
from tests.faults.load import Answer, Witness
from tests.inventory.sample import stock
from tests.orders.sample import (
    CLERK,
    catalogue,
    draft as draft_of,
    fulfilling,
    history,
    placed,
    standing_at,
)

on_sqlite = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)

TOLD = "every 2xx of a command is in the timeline"
DONE = "every command in the timeline was answered with a 2xx"
MADE = "what was answered with a 2xx is there"
THERE = "what is there was answered with a 2xx"


async def witnessed_shop(database: Database) -> Witness:
    """Do one of each command, and write down what each was answered."""
    await catalogue(database, MUG=425)
    await stock(database, MUG=9)
    witness = Witness()
    off = await standing_at(database, OrderStatus.RESERVED)
    async with database.write() as session:
        order = await cancel(session, off, CLERK, reason="key-1")
        lines = [DeltaLine(sku="MUG", delta=-1)]
        [adjusted] = await adjust(session, [AdjustmentDraft(lines=lines, reason="key-2")])
    sent = await standing_at(database, OrderStatus.CONFIRMED)
    fulfillment = await fulfilling(database, sent)
    witness.note("key-1", Answer("cancel", off, version=order.version))
    witness.note("key-2", Answer("adjust", "", about=adjusted.id))
    for entry in await history(database, sent):
        if entry.action in {"confirm", "fulfill"}:
            about = fulfillment.id if entry.action == "fulfill" else None
            answer = Answer(entry.action, sent, version=entry.version, about=about)
            witness.note(f"key-{entry.action}", answer)
    return witness


async def names(database: Database, witness: Witness) -> set[str]:
    return {one.name for one in await commands_witnessed(database, witness)}


def forgets(*keys: str) -> Callable[[Witness], object]:
    return lambda witness: [witness.answers.pop(key) for key in keys]


def is_refused(key: str, *, unsure: bool) -> Callable[[Witness], object]:
    """Have the client believe that what was done is not."""

    def believes(witness: Witness) -> None:
        one = witness.answers.pop(key)
        witness.note(key, Answer(one.action, one.order_id, refused="conflict", unsure=unsure))

    return believes


def is_told(action: str, order_id: str, **more: Any) -> Callable[[Witness], object]:  # noqa: ANN401 - as Answer has
    return lambda witness: witness.note("more", Answer(action, order_id, **more))


DIFFERENCES: list[tuple[Callable[[Witness], object], set[str]]] = [
    (forgets("key-1"), {DONE, THERE}),
    (forgets("key-2"), {THERE}),
    (forgets("key-confirm"), {DONE}),
    (forgets("key-fulfill"), {DONE, THERE}),
    (is_refused("key-1", unsure=False), {DONE, THERE}),
    (is_refused("key-fulfill", unsure=False), {DONE, THERE}),
    (is_refused("key-1", unsure=True), set()),
    (is_refused("key-fulfill", unsure=True), set()),
    (is_told("confirm", "ord_x", version=2), {TOLD}),
    (is_told("cancel", "ord_x", version=2), {TOLD, MADE}),
    (is_told("adjust", "", about="adj_x"), {MADE}),
    (is_told("cancel", "ord_x", refused="conflict"), set()),
]


@on_sqlite
async def test_the_witness_and_the_timelines_are_compared(database: Database) -> None:
    witness = await witnessed_shop(database)
    answers = dict(witness.answers)
    by_clients = "UPDATE order_timeline SET actor = NULL WHERE action = 'place'"
    async with database.write() as session:
        await session.execute(text(by_clients))  # whom no client asked for here

    assert await names(database, witness) == set()
    for differ, expected in DIFFERENCES:
        witness.answers = dict(answers)
        differ(witness)
        assert await names(database, witness) == expected


@on_sqlite
async def test_what_waits_for_inventory_is_no_rest(database: Database) -> None:
    await catalogue(database, MUG=425)
    await placed(database, draft_of(("MUG", 1)))
    sent = await standing_at(database, OrderStatus.CONFIRMED)
    await fulfilling(database, sent)
    held = await standing_at(database, OrderStatus.RESERVED)
    async with database.write() as session:
        late = text("UPDATE orders SET expires_at = '2001-01-01 00:00:00.000' WHERE id = :id")
        await session.execute(late, {"id": held})

    assert {one.name for one in await broken(database, ORDERS_AT_REST)} == set(ORDERS_AT_REST)


def test_a_key_that_was_done_stays_done() -> None:
    witness = Witness()
    done = Answer("cancel", "ord_x", version=3)
    witness.note("key", Answer("cancel", "ord_x", refused="conflict"))

    assert witness.note("key", done) == done
    assert witness.note("key", Answer("cancel", "ord_x", refused="conflict")) == done
    with pytest.raises(AssertionError, match="two answers"):
        witness.note("key", Answer("cancel", "ord_x", version=4))
