"""Inventory as it should be: dictionaries, one step at a time, nothing shared with the real one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Said: TypeAlias = tuple[str, str, dict[str, Any]]
"""What is told: the type's middle word, whom it is about, and what else it says."""

Key: TypeAlias = tuple[str, str]
"""A SKU and a place."""


class Refused(Exception):  # noqa: N818 - what it says
    """What is asked for is refused: by this code, with these members, and nothing changes."""

    def __init__(self, code: str, **members: object) -> None:
        super().__init__(code, members)
        self.code = code
        self.members = members


@dataclass
class Level:
    """What lies somewhere."""

    on_hand: int = 0
    reserved: int = 0
    committed: int = 0


@dataclass
class Place:
    """Where stock lies."""

    priority: int = 0
    active: bool = True


@dataclass
class Held:
    """An order's units at one place."""

    quantity: int
    issued: int = 0


@dataclass
class Claim:
    """What became of an order's stock."""

    state: str
    lines: dict[Key, Held] = field(default_factory=dict)


@dataclass
class StockModel:
    """All that inventory knows."""

    places: dict[str, Place] = field(default_factory=lambda: {"default": Place()})
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    levels: dict[Key, Level] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    issues: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    def free(self, sku: str) -> int:
        """Return what can be promised of a SKU; below zero when too much is kept back."""
        lying = (
            level.on_hand - level.reserved
            for (one, place), level in self.levels.items()
            if one == sku and self.places[place].active
        )
        return sum(lying) - self.marks.get(sku, (0, 0))[0]

    def available(self, sku: str) -> int:
        """Return how many units an order could have."""
        return max(0, self.free(sku))

    def _by_priority(self, sku: str) -> list[str]:
        places = [place for one, place in self.levels if one == sku]
        return sorted(places, key=lambda place: (self.places[place].priority, place))

    # What orders tell

    def hear(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Take what orders told, one after the other, as one transaction."""
        with_marks = self.before()
        for name, told in events:
            order_id = told["order_id"]
            match name:
                case "order_created":
                    self._reserve(order_id, told["lines"], told["confirm"] == "auto")
                case "hold_confirmed":
                    self._commit(order_id)
                case "order_cancelled" | "order_expired":
                    self._release(order_id, name.removeprefix("order_"))
                case "fulfillment_requested":
                    self._issue(order_id, told["fulfillment_id"], told["lines"])
                case "fulfillment_cancel_requested":
                    if told["fulfillment_id"] not in self.issues:
                        self._void(order_id, told["fulfillment_id"], "cancelled")
        self.tell_crossings(with_marks)

    def _reserve(self, order_id: str, lines: Sequence[Mapping[str, Any]], auto: bool) -> None:  # noqa: FBT001 - one of two kinds
        if order_id in self.claims:
            return
        short = [
            {"sku": one["sku"], "requested": one["quantity"], "available": free}
            for one in lines
            if one["quantity"] > (free := self.available(one["sku"]))
        ]
        if short:
            self.claims[order_id] = Claim("rejected")
            self.said.append(("stock_rejected", order_id, {"shortages": short}))
            return
        claim = self.claims[order_id] = Claim("committed" if auto else "held")
        for line in lines:
            left = line["quantity"]
            for place in self._by_priority(line["sku"]):
                level = self.levels[line["sku"], place]
                part = min(left, level.on_hand - level.reserved)
                if part and self.places[place].active:
                    level.reserved += part
                    level.committed += part if auto else 0
                    claim.lines[line["sku"], place] = Held(part)
                    left -= part
        taken = {key: held.quantity for key, held in claim.lines.items()}
        self.said.append(("stock_reserved", order_id, {"lines": _wire(taken)}))

    def _commit(self, order_id: str) -> None:
        claim = self.claims.get(order_id)
        if claim is not None and claim.state == "held":
            claim.state = "committed"
            for key, held in claim.lines.items():
                self.levels[key].committed += held.quantity - held.issued

    def _release(self, order_id: str, reason: str) -> None:
        claim = self.claims.setdefault(order_id, Claim("new"))
        back: dict[Key, int] = {}
        if claim.state in {"held", "committed"}:
            back = {key: held.quantity - held.issued for key, held in claim.lines.items()}
        elif claim.state != "new":
            return
        for key, units in back.items():
            self.levels[key].reserved -= units
            self.levels[key].committed -= units if claim.state == "committed" else 0
        claim.state = "void" if claim.state == "new" else "released"
        self.said.append(
            ("stock_released", order_id, {"reason": reason, "lines": _wire(back)}),
        )

    def _issue(
        self, order_id: str, fulfillment_id: str, lines: Sequence[Mapping[str, Any]]
    ) -> None:
        if fulfillment_id in self.issues:
            return
        self._commit(order_id)
        claim = self.claims.get(order_id)
        parts: dict[Key, int] = {}
        for line in lines if claim is not None and claim.state == "committed" else ():
            left = line["quantity"]
            for place in self._by_priority(line["sku"]):
                held = claim.lines.get((line["sku"], place), Held(0)) if claim else Held(0)
                part = min(left, held.quantity - held.issued)
                parts |= {(line["sku"], place): part} if part else {}
                left -= part
            if left:
                parts = {}
                break
        if claim is None or not parts:
            self._void(order_id, fulfillment_id, "not_held")
            return
        for key, units in parts.items():
            claim.lines[key].issued += units
            level = self.levels[key]
            level.on_hand -= units
            level.reserved -= units
            level.committed -= units
        if all(held.issued == held.quantity for held in claim.lines.values()):
            claim.state = "consumed"
        self.issues[fulfillment_id] = "issued"
        told = {"fulfillment_id": fulfillment_id, "lines": _wire(parts)}
        self.said.append(("stock_issued", order_id, told))

    def _void(self, order_id: str, fulfillment_id: str, reason: str) -> None:
        self.issues[fulfillment_id] = "void"
        told = {"fulfillment_id": fulfillment_id, "reason": reason}
        self.said.append(("stock_issue_voided", order_id, told))

    # What people do

    def change(self, deltas: Mapping[Key, int]) -> None:
        """Add and take away what is on hand, all or nothing."""
        if unknown := sorted({place for _, place in deltas if place not in self.places}):
            raise Refused("unknown_location", locations=unknown)
        if any(
            self._level(key).on_hand + by < self._level(key).reserved for key, by in deltas.items()
        ):
            raise Refused("would_break_reservations")
        before = self.before()
        for key, by in deltas.items():
            self.levels.setdefault(key, Level()).on_hand += by
        self.tell_crossings(before)

    def _level(self, key: Key) -> Level:
        return self.levels.get(key, Level())

    def count(self, key: Key, on_hand: int, expected: int | None) -> None:
        """Set what is on hand."""
        if key[1] not in self.places:
            raise Refused("unknown_location", locations=[key[1]])
        if expected not in {None, self._level(key).on_hand}:
            raise Refused("count_conflict")
        self.change({key: on_hand - self._level(key).on_hand})

    def locate(self, place: str, priority: int, active: bool) -> None:  # noqa: FBT001 - as stored
        """Have a place, or change it."""
        before = self.before()
        self.places[place] = Place(priority, active)
        self.tell_crossings(before)

    def keep(self, sku: str, safety: int, low: int) -> None:
        """Keep a SKU with these marks."""
        before = self.before()
        self.marks[sku] = (safety, low)
        self.tell_crossings(before)

    def before(self) -> dict[str, tuple[int, int]]:
        """Return what is free of each SKU there is, and what counts as low."""
        skus = {sku for sku, _ in self.levels}
        return {sku: (self.free(sku), self.marks.get(sku, (0, 0))[1]) for sku in skus}

    def tell_crossings(self, before: Mapping[str, tuple[int, int]]) -> None:
        """Tell what became of SKUs of which so much was free."""
        for sku, (had, was_low) in before.items():
            free, low = self.free(sku), self.marks.get(sku, (0, 0))[1]
            if free <= 0 < had:
                self.said.append(("stock_out", sku, {}))
            elif had <= 0 < free:
                self.said.append(("stock_back", sku, {"available": free}))
            elif 0 < free <= low and had > was_low:
                self.said.append(("stock_low", sku, {"available": free, "low_stock_at": low}))

    def rows(self) -> Iterator[tuple[str, Any, Any]]:
        """Tell how it stands: table, key, columns."""
        for key, level in self.levels.items():
            yield "stock_levels", key, (level.on_hand, level.reserved, level.committed)
        for order_id, claim in self.claims.items():
            yield "reservations", order_id, claim.state
            for key, held in claim.lines.items():
                yield "reservation_lines", (order_id, *key), (held.quantity, held.issued)
        for fulfillment_id, state in self.issues.items():
            yield "issues", fulfillment_id, state


def _wire(units: Mapping[Key, int]) -> list[dict[str, Any]]:
    """Return units by SKU and place as events carry them, those that are none left out."""
    return [
        {"sku": sku, "location": place, "quantity": quantity}
        for (sku, place), quantity in sorted(units.items())
        if quantity
    ]
