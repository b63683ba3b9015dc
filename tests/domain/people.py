"""What people do, asked of the modules and of their models alike."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.modules.inventory.models.drafts import (
    AdjustmentDraft,
    CountDraft,
    CountLine,
    DeltaLine,
    ReceiptDraft,
)
from app.modules.inventory.service.correct import adjust, count
from app.modules.inventory.service.items import ItemDraft, put_item
from app.modules.inventory.service.locations import LocationDraft, put_location
from app.modules.inventory.service.receive import receive
from app.modules.orders.models.life import ConfirmMode
from app.modules.orders.models.order import OrderDraft
from app.modules.orders.service import hold
from app.modules.orders.service.cancel import cancel
from app.modules.orders.service.command import Caller
from app.modules.orders.service.fulfill import FulfillmentDraft, cancel_fulfillment, fulfill
from app.modules.orders.service.place import place
from tests.domain.world import World

HOLD_S = 60
LIMIT_S = 150

Wanted = tuple[Sequence[tuple[str, int]], bool]
"""The lines of an order, and whether somebody must confirm it."""


class People:
    """Clerks and customers. Of orders and fulfillments they name one by counting from the newest.

    Asked for something about an order they mostly take one that allows it.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def _order(self, which: int, action: str) -> str:
        orders = self._world.orders.orders
        fit = [id_ for id_, order in orders.items() if action in order.allowed]
        ids = fit if fit and which % 4 != 3 else list(orders)
        return ids[-1 - which // 2 % len(ids)]

    def _versions(self, order_id: str, stale: int) -> Collection[int]:
        return {self._world.orders.orders[order_id].version - stale}

    def place(self, wanted: Sequence[Wanted]) -> None:
        drafts = [
            OrderDraft(
                customer_id="c-1",
                lines=lines,
                confirm=ConfirmMode.MANUAL if manual else ConfirmMode.AUTO,
                hold_s=HOLD_S if manual else None,
            )
            for lines, manual in wanted
        ]

        def expected() -> None:
            self._world.orders.sweep()
            for draft in drafts:
                self._world.orders.place(draft.id, draft.quantities, draft.held_s)

        self._world.ask(lambda session: place(session, drafts), expected)

    def confirm(self, which: int, stale: int) -> None:
        order_id = self._order(which, "confirm")
        versions = self._versions(order_id, stale)
        self._world.ask(
            lambda session: hold.confirm(session, order_id, Caller(versions=versions)),
            lambda: self._world.orders.confirm(order_id, versions),
        )

    def extend(self, which: int, seconds: int) -> None:
        order_id = self._order(which, "extend")
        self._world.ask(
            lambda session: hold.extend(
                session, order_id, Caller(), seconds=seconds, limit_s=LIMIT_S
            ),
            lambda: self._world.orders.extend(order_id, seconds, LIMIT_S),
        )

    def cancel(self, which: int, stale: int) -> None:
        order_id = self._order(which, "cancel")
        versions = self._versions(order_id, stale)
        self._world.ask(
            lambda session: cancel(session, order_id, Caller(versions=versions), reason="enough"),
            lambda: self._world.orders.cancel(order_id, "enough", versions),
        )

    def fulfill(self, which: int, wanted: Mapping[str, int] | None) -> None:
        order_id = self._order(which, "fulfill")
        draft = FulfillmentDraft(lines=None if wanted is None else list(wanted.items()))

        def then(done: Any, units: Mapping[str, int]) -> None:  # noqa: ANN401 - the order and more
            self._world.orders.fulfill(order_id, done[1].id, units)

        self._world.ask(
            lambda session: fulfill(session, order_id, Caller(), draft),
            lambda: self._world.orders.check_fulfill(order_id, wanted),
            then,
        )

    def unfulfill(self, which: int) -> None:
        shipments = self._world.orders.shipments
        if not shipments:
            return
        open_ = [id_ for id_, one in shipments.items() if one.status == "requested"]
        ids = open_ if open_ and which % 4 != 3 else list(shipments)
        id_ = ids[-1 - which // 2 % len(ids)]
        self._world.ask(
            lambda session: cancel_fulfillment(session, shipments[id_].order_id, id_, Caller()),
            lambda: self._world.orders.unfulfill(id_),
        )

    def receive(self, sku: str, at: str, number: int) -> None:
        draft = ReceiptDraft(lines=[(sku, number)], location=at)
        self._world.ask(
            lambda session: receive(session, [draft]),
            lambda: self._world.stock.change({(sku, at): number}),
        )

    def adjust(self, deltas: Mapping[tuple[str, str], int]) -> None:
        lines = [DeltaLine(sku=sku, location=at, delta=by) for (sku, at), by in deltas.items()]
        self._world.ask(
            lambda session: adjust(session, [AdjustmentDraft(lines=lines, reason="found")]),
            lambda: self._world.stock.change(deltas),
        )

    def count(self, sku: str, at: str, on_hand: int, expected: int | None) -> None:
        line = CountLine(sku=sku, location=at, on_hand=on_hand, expected_on_hand=expected)
        self._world.ask(
            lambda session: count(session, [CountDraft(lines=[line], reason="counted")]),
            lambda: self._world.stock.count((sku, at), on_hand, expected),
        )

    def locate(self, at: str, priority: int, active: bool) -> None:  # noqa: FBT001 - as stored
        draft = LocationDraft(id=at, priority=priority, active=active)
        self._world.ask(
            lambda session: put_location(session, draft),
            lambda: self._world.stock.locate(at, priority, active),
        )

    def keep(self, sku: str, safety: int, low: int) -> None:
        draft = ItemDraft(sku=sku, safety_stock=safety, low_stock_at=low)
        self._world.ask(
            lambda session: put_item(session, draft),
            lambda: self._world.stock.keep(sku, safety, low),
        )

    def sweep(self) -> None:
        """Let holds end whose time is over, as the timer does."""
        if self._world.orders.due():
            self._world.ask(hold.expire_due, self._world.orders.sweep)
