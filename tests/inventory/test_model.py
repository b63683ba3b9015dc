"""Inventory against a model of it: any sequence of commands, in batches of any size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count as numbers
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app.db import Database
from app.modules.inventory.errors import WouldBreakReservationsError
from app.modules.inventory.events import (
    StockBack,
    StockIssued,
    StockIssueVoided,
    StockLow,
    StockOut,
    StockRejected,
    StockReleased,
    StockReserved,
)
from app.modules.inventory.models.drafts import AdjustmentDraft, DeltaLine
from app.modules.inventory.service.correct import adjust
from app.modules.inventory.service.drift import check_drift
from app.modules.inventory.service.items import ItemDraft, put_item
from app.modules.inventory.service.steps import Commit, Issue, Release, Reserve, Step, VoidIssue
from app.modules.orders.events import OrderConfirmed
from tests.inventory.sample import LONG, counters, decide, locate, said, state

SAFETY, LOW = 1, 2
PLACES = ("near", "far")
SKUS = ("A", "B")

Said: TypeAlias = tuple[Any, ...]


@dataclass
class Order:
    """What the model knows of an order."""

    state: str | None = None
    held: list[list[Any]] = field(default_factory=list)


@dataclass
class Model:
    """Inventory as a few dictionaries: one command at a time, nothing shared with the real one."""

    on_hand: dict[tuple[str, str], int] = field(default_factory=dict)
    reserved: dict[tuple[str, str], int] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    shipments: set[str] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)

    def available(self, sku: str) -> int:
        free = sum(self.on_hand[sku, place] - self.reserved[sku, place] for place in PLACES)
        return max(0, free - SAFETY)

    def all_available(self) -> dict[str, int]:
        return {sku: self.available(sku) for sku, _ in self.on_hand}

    def apply(self, step: Step) -> None:
        order = self.orders.setdefault(step.order_id, Order())
        match step:
            case Reserve() if order.state is None:
                self._reserve(step, order)
            case Commit() if order.state == "held":
                order.state = "committed"
            case Release() if order.state in {None, "held", "committed"}:
                back = [(sku, place, units) for sku, place, units in order.held if units]
                for sku, place, units in back:
                    self.reserved[sku, place] -= units
                order.state, order.held = ("released" if order.state else "void"), []
                self.said.append((StockReleased, step.order_id, step.reason, sorted(back)))
            case Issue() if step.fulfillment_id not in self.shipments:
                self.shipments.add(step.fulfillment_id)
                self._issue(step, order)
            case VoidIssue() if step.fulfillment_id not in self.shipments:
                self.shipments.add(step.fulfillment_id)
                self.said.append((StockIssueVoided, step.fulfillment_id, "cancelled"))

    def _reserve(self, step: Reserve, order: Order) -> None:
        wanted: dict[str, int] = {}
        for sku, units in step.lines:
            wanted[sku] = wanted.get(sku, 0) + units
        short = {
            sku: self.available(sku) for sku, units in wanted.items() if units > self.available(sku)
        }
        if short:
            order.state = "rejected"
            self.said.append((StockRejected, step.order_id, short))
            return
        order.state = "committed" if step.commit else "held"
        for sku, units in wanted.items():
            left = units
            for place in PLACES:
                part = min(left, self.on_hand[sku, place] - self.reserved[sku, place])
                if part:
                    self.reserved[sku, place] += part
                    order.held.append([sku, place, part])
                    left -= part
        held = sorted((sku, place, units) for sku, place, units in order.held)
        self.said.append((StockReserved, step.order_id, held))

    def _issue(self, step: Issue, order: Order) -> None:
        if order.state == "held":
            order.state = "committed"
        enough = order.state == "committed" and all(
            units <= sum(held for held_sku, _, held in order.held if held_sku == sku)
            for sku, units in step.lines
        )
        if not enough:
            self.said.append((StockIssueVoided, step.fulfillment_id, "not_held"))
            return
        for sku, units in step.lines:
            left = units
            for line in sorted(order.held, key=lambda held: PLACES.index(held[1])):
                part = min(left, line[2]) if line[0] == sku else 0
                line[2] -= part
                left -= part
                self.on_hand[sku, line[1]] -= part
                self.reserved[sku, line[1]] -= part
        if not any(units for _, _, units in order.held):
            order.state = "consumed"
        self.said.append((StockIssued, step.fulfillment_id))

    def crossed(self, before: dict[str, int]) -> list[Said]:
        """Return what is told of SKUs that had so much available before."""
        told: list[Said] = []
        for sku, had in before.items():
            has = self.available(sku)
            if had and not has:
                told.append((StockOut, sku))
            elif has and not had:
                told.append((StockBack, sku, has))
            elif has <= LOW < had:
                told.append((StockLow, sku, has))
        return told


def seen(event: object) -> Said:  # noqa: PLR0911 - one for each kind
    """Return an event as the model would say it."""
    match event:
        case StockReserved():
            lines = sorted((line.sku, line.location, line.quantity) for line in event.lines)
            return (StockReserved, event.order_id, lines)
        case StockReleased():
            lines = sorted((line.sku, line.location, line.quantity) for line in event.lines)
            return (StockReleased, event.order_id, event.reason, lines)
        case StockRejected():
            return (
                StockRejected,
                event.order_id,
                {one.sku: one.available for one in event.shortages},
            )
        case StockIssued():
            return (StockIssued, event.fulfillment_id)
        case StockIssueVoided():
            return (StockIssueVoided, event.fulfillment_id, event.reason)
        case StockBack() | StockLow():
            return (type(event), event.sku, event.available)
        case StockOut():
            return (StockOut, event.sku)
    raise AssertionError(event)


ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
SHIPMENTS = st.sampled_from(["f-1", "f-2", "f-3"])
UNITS = st.integers(1, 4)
LINES = st.lists(st.tuples(st.sampled_from(SKUS), UNITS), min_size=1, max_size=4)
LEAVING = st.dictionaries(st.sampled_from(SKUS), UNITS, min_size=1).map(lambda one: [*one.items()])
STEPS = st.one_of(
    st.tuples(st.just("reserve"), ORDERS, LINES, st.booleans()),
    st.tuples(st.just("reserve"), ORDERS, LINES, st.booleans()),
    st.tuples(st.just("commit"), ORDERS),
    st.tuples(st.just("release"), ORDERS, st.sampled_from(["cancelled", "expired"])),
    st.tuples(st.just("issue"), ORDERS, SHIPMENTS, LEAVING),
    st.tuples(st.just("void"), ORDERS, SHIPMENTS),
)
STOCK = st.lists(st.integers(0, 8), min_size=4, max_size=4)
CHANGE = st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(-4, 4))
BATCH = st.lists(STEPS, min_size=1, max_size=8)
ROUNDS = st.lists(st.tuples(CHANGE, BATCH), min_size=1, max_size=5)


def step(command: tuple[Any, ...], tag: str) -> Step:
    """Return a command as a step, its names made unique by tag."""
    kind, order_id, *more = command
    order_id = f"{tag}-{order_id}"
    cause = OrderConfirmed(order_id=order_id)
    match kind:
        case "reserve":
            lines = [(f"{tag}-{sku}", units) for sku, units in more[0]]
            return Reserve(order_id=order_id, lines=lines, commit=more[1], cause=cause)
        case "commit":
            return Commit(order_id=order_id, cause=cause)
        case "release":
            return Release(order_id=order_id, reason=more[0], cause=cause)
        case "issue":
            lines = [(f"{tag}-{sku}", units) for sku, units in more[1]]
            fulfillment_id = f"{order_id}-{more[0]}"
            return Issue(order_id=order_id, fulfillment_id=fulfillment_id, lines=lines, cause=cause)
        case _:
            return VoidIssue(order_id=order_id, fulfillment_id=f"{order_id}-{more[0]}", cause=cause)


async def prepared(database: Database, tag: str, units: Sequence[int]) -> Model:
    """Put stock on hand, in the database and in a model of it."""
    model = Model()
    keys = [(f"{tag}-{sku}", place) for sku in SKUS for place in PLACES]
    for key, on_hand in zip(keys, units, strict=True):
        model.on_hand[key], model.reserved[key] = on_hand, 0
    async with database.write() as session:
        lines = [
            DeltaLine(sku=sku, location=place, delta=model.on_hand[sku, place])
            for sku, place in keys
        ]
        for sku in SKUS:
            draft = ItemDraft(sku=f"{tag}-{sku}", safety_stock=SAFETY, low_stock_at=LOW)
            await put_item(session, draft)
        await adjust(session, [AdjustmentDraft(lines=lines, reason="prepared")])
    return model


async def changed(database: Database, model: Model, key: tuple[str, str], delta: int) -> None:
    """Find or lose units, in the database and in the model; what is reserved cannot be lost."""
    lines = [DeltaLine(sku=key[0], location=key[1], delta=delta)]
    try:
        async with database.write() as session:
            await adjust(session, [AdjustmentDraft(lines=lines, reason="changed")])
    except WouldBreakReservationsError:
        assert model.on_hand[key] + delta < model.reserved[key]
    else:
        model.on_hand[key] += delta
        assert model.on_hand[key] >= model.reserved[key]


TAGS = numbers()


@pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
@settings(
    max_examples=300 if LONG else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(units=STOCK, rounds=ROUNDS)
async def test_inventory_does_what_its_model_does(
    database: Database,
    units: list[int],
    rounds: list[tuple[tuple[str, str, int], list[tuple[Any, ...]]]],
) -> None:
    tag = f"x{next(TAGS)}"
    await locate(database, near=0, far=1)
    model = await prepared(database, tag, units)
    already = len(await said(database))
    expected: list[tuple[list[Said], list[Said]]] = []

    for (sku, place, delta), batch in rounds:
        before = model.all_available()
        await changed(database, model, (f"{tag}-{sku}", place), delta)
        expected.append(([], model.crossed(before)))
        steps = [step(command, tag) for command in batch]
        before = model.all_available()
        await decide(database, *steps)
        model.said = []
        for one in steps:
            model.apply(one)
        expected.append((model.said, model.crossed(before)))

        real = await counters(database)
        for key, on_hand in model.on_hand.items():
            assert real[key][:2] == (on_hand, model.reserved[key])
    answered = [seen(event) for event in (await said(database))[already:]]
    for answers, told in expected:
        assert answered[: len(answers)] == answers
        del answered[: len(answers)]
        # What is told of SKUs comes last, in no order of its own.
        assert sorted(answered[: len(told)], key=str) == sorted(told, key=str)
        del answered[: len(told)]
    assert answered == []
    for order_id, order in model.orders.items():
        assert await state(database, order_id) == order.state
    async with database.read() as session:
        assert (await check_drift(session)).drifts == []
