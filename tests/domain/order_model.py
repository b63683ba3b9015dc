"""Orders as they should be: dictionaries, one step at a time, nothing shared with the real ones."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.domain.stock_model import Refused, Said


@dataclass
class Line:
    """Units of a SKU that were ordered."""

    quantity: int
    fulfilling: int = 0
    fulfilled: int = 0
    available: int | None = None


@dataclass
class Shipment:
    """Units that shall leave."""

    order_id: str
    units: dict[str, int]
    status: str = "requested"


@dataclass
class Order:
    """An order and its lines."""

    lines: dict[str, Line]
    hold_s: int | None
    status: str = "pending"
    version: int = 1
    reserved_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str | None = None

    @property
    def moving(self) -> int:
        """Units that are leaving."""
        return sum(line.fulfilling for line in self.lines.values())

    @property
    def open(self) -> dict[str, int]:
        """Units that no shipment takes, where there are any."""
        left = {
            sku: line.quantity - line.fulfilling - line.fulfilled
            for sku, line in self.lines.items()
        }
        return {sku: units for sku, units in left.items() if units}

    @property
    def allowed(self) -> set[str]:
        """What may be asked for."""
        if self.status == "confirmed":
            return ({"fulfill"} if self.open else set()) | (set() if self.moving else {"cancel"})
        return {"pending": {"cancel"}, "reserved": {"confirm", "extend", "cancel"}}.get(
            self.status, set()
        )


@dataclass
class OrderModel:
    """All that orders know. `now` is the database's clock."""

    now: datetime
    orders: dict[str, Order] = field(default_factory=dict)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    # What people ask for

    def place(self, order_id: str, units: Mapping[str, int], hold_s: int | None) -> None:
        """Take an order; with hold_s it must be confirmed by somebody."""
        lines = {sku: Line(quantity) for sku, quantity in units.items()}
        self.orders[order_id] = Order(lines, hold_s)
        told = [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(units.items())]
        confirm = "manual" if hold_s else "auto"
        self.said.append(("order_created", order_id, {"lines": told, "confirm": confirm}))

    def _asked(self, order_id: str, action: str | None, versions: Collection[int] | None) -> Order:
        order = self.orders[order_id]
        if versions is not None and order.version not in versions:
            raise Refused("precondition_failed", current_version=order.version)
        if action is not None and action not in order.allowed:
            raise Refused(
                "order_state_conflict",
                current_status=order.status,
                allowed_actions=sorted(order.allowed),
            )
        return order

    def _moved(self, order_id: str, status: str | None = None, **told: Any) -> None:  # noqa: ANN401 - what an event says
        """Take an order to its next version, and to another status if one is given."""
        order = self.orders[order_id]
        order.version += 1
        if status is not None:
            order.status = status
            order.expires_at = None
            self.said.append((f"order_{status}", order_id, told))

    def confirm(self, order_id: str, versions: Collection[int] | None) -> None:
        """Confirm an order that is held."""
        self._asked(order_id, "confirm", versions)
        self.said.append(("hold_confirmed", order_id, {}))
        self._moved(order_id, "confirmed")

    def extend(self, order_id: str, seconds: int, limit_s: int) -> None:
        """Hold an order for longer."""
        order = self._asked(order_id, "extend", None)
        assert order.reserved_at is not None
        assert order.expires_at is not None
        until, latest = (
            self.now + timedelta(seconds=seconds),
            order.reserved_at + timedelta(seconds=limit_s),
        )
        if until > latest:
            raise Refused("extend_limit", latest=latest)
        if until > order.expires_at:
            self._moved(order_id)
            order.expires_at = until

    def cancel(self, order_id: str, reason: str, versions: Collection[int] | None) -> None:
        """Call an order off."""
        order = self._asked(order_id, "cancel", versions)
        gone = [
            {"sku": sku, "quantity": line.fulfilled}
            for sku, line in sorted(order.lines.items())
            if line.fulfilled
        ]
        self._moved(order_id, "cancelled", reason=reason, fulfilled=gone)
        order.reason = reason

    def check_fulfill(self, order_id: str, wanted: Mapping[str, int] | None) -> dict[str, int]:
        """Return the units that a shipment takes."""
        order = self._asked(order_id, "fulfill", None)
        if wanted is None:
            return order.open
        too_many = [
            {"sku": sku, "requested": units, "open": order.open.get(sku, 0)}
            for sku, units in wanted.items()
            if units > order.open.get(sku, 0)
        ]
        if too_many:
            raise Refused("exceeds_open_quantity", lines=too_many)
        return dict(wanted)

    def fulfill(self, order_id: str, fulfillment_id: str, units: Mapping[str, int]) -> None:
        """Ask for units to leave."""
        for sku, quantity in units.items():
            self.orders[order_id].lines[sku].fulfilling += quantity
        self.shipments[fulfillment_id] = Shipment(order_id, dict(units))
        self._moved(order_id)
        told = [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(units.items())]
        self.said.append(
            ("fulfillment_requested", order_id, {"fulfillment_id": fulfillment_id, "lines": told})
        )

    def unfulfill(self, fulfillment_id: str) -> None:
        """Ask for a shipment to stay."""
        shipment = self.shipments[fulfillment_id]
        if shipment.status == "issued":
            raise Refused("fulfillment_issued")
        if shipment.status == "requested":
            shipment.status = "cancelling"
            self._moved(shipment.order_id)
            told = {"fulfillment_id": fulfillment_id}
            self.said.append(("fulfillment_cancel_requested", shipment.order_id, told))

    def due(self) -> list[str]:
        """Return the orders whose hold is over."""
        return [
            order_id
            for order_id, order in self.orders.items()
            if order.expires_at is not None and order.expires_at <= self.now
        ]

    def sweep(self) -> None:
        """Let holds end whose time is over."""
        for order_id in self.due():
            self._moved(order_id, "expired")

    # What inventory tells

    def hear(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Take what inventory told, one after the other."""
        for name, told in events:
            order = self.orders[told["order_id"]]
            match name:
                case "stock_reserved" if order.status == "pending" and order.hold_s:
                    order.reserved_at = self.now
                    until = self.now + timedelta(seconds=order.hold_s)
                    self._moved(told["order_id"], "reserved", expires_at=until)
                    order.expires_at = until
                case "stock_reserved" if order.status == "pending":
                    self._moved(told["order_id"], "confirmed")
                case "stock_rejected" if order.status == "pending":
                    for short in told["shortages"]:
                        order.lines[short["sku"]].available = short["available"]
                    self._moved(told["order_id"], "rejected", shortages=told["shortages"])
                case "stock_issued" | "stock_issue_voided":
                    self._conclude(told["fulfillment_id"], issued=name == "stock_issued")

    def _conclude(self, fulfillment_id: str, *, issued: bool) -> None:
        shipment = self.shipments[fulfillment_id]
        if shipment.status not in {"requested", "cancelling"}:
            return
        shipment.status = "issued" if issued else "cancelled"
        order = self.orders[shipment.order_id]
        for sku, units in shipment.units.items():
            order.lines[sku].fulfilling -= units
            order.lines[sku].fulfilled += units if issued else 0
        self._moved(shipment.order_id)
        if all(line.fulfilled == line.quantity for line in order.lines.values()):
            self._moved(shipment.order_id, "fulfilled")

    def rows(self) -> Iterator[tuple[str, Any, Any]]:
        """Tell how it stands: table, key, columns."""
        for order_id, order in self.orders.items():
            moments = (_text(order.reserved_at), _text(order.expires_at))
            yield "orders", order_id, (order.status, order.version, order.reason, *moments)
            for sku, line in order.lines.items():
                counts = (line.quantity, line.fulfilling, line.fulfilled, line.available)
                yield "order_lines", (order_id, sku), counts
        for fulfillment_id, shipment in self.shipments.items():
            yield "fulfillments", fulfillment_id, shipment.status


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"
