"""What orders ask of stock, one step at a time, as values."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from app.bus.event import Event


class Reserve(NamedTuple):
    """Hold units for an order, as (sku, quantity) pairs: every line or nothing.

    commit promises them at once, to an order that needs nobody to confirm it.
    """

    order_id: str
    lines: Sequence[tuple[str, int]]
    cause: Event
    commit: bool = False


class Commit(NamedTuple):
    """Promise the units that are held to an order that is now confirmed."""

    order_id: str
    cause: Event


class Release(NamedTuple):
    """Give up what is held for an order, or will be asked for later."""

    order_id: str
    reason: Literal["cancelled", "expired"]
    cause: Event


class Issue(NamedTuple):
    """Let units of an order leave the house, as (sku, quantity) pairs: every line or nothing."""

    order_id: str
    fulfillment_id: str
    lines: Sequence[tuple[str, int]]
    cause: Event


class VoidIssue(NamedTuple):
    """Keep a fulfillment from leaving, if it has not left."""

    order_id: str
    fulfillment_id: str
    cause: Event


Step: TypeAlias = Reserve | Commit | Release | Issue | VoidIssue


def merged(lines: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return units by SKU in the order given, a SKU that comes more than once added up."""
    units: dict[str, int] = {}
    for sku, quantity in lines:
        units[sku] = units.get(sku, 0) + quantity
    return units
