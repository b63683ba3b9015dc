"""The life of an order: where it can stand, what may happen to it there, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class OrderStatus(StrEnum):
    """Where an order stands; every change is a compare-and-set on it (`service/transition.py`)."""

    PENDING = "pending"
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FULFILLED = "fulfilled"


class ConfirmMode(StrEnum):
    """Who confirms an order once its stock is held: the system, or somebody within the hold."""

    AUTO = "auto"
    MANUAL = "manual"


class FulfillmentStatus(StrEnum):
    """Where a fulfillment stands. Inventory decides whether it is issued or can be cancelled."""

    REQUESTED = "requested"
    CANCELLING = "cancelling"
    ISSUED = "issued"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What may happen to an order; each leaves one row in its timeline.

    FULFILL and CANCEL_FULFILLMENT ask inventory for something, FULFILLMENT_ISSUED and
    FULFILLMENT_CANCELLED are its answers, and COMPLETE follows the last unit that was issued.
    """

    PLACE = "place"
    RESERVE = "reserve"
    CONFIRM = "confirm"
    REJECT = "reject"
    EXTEND = "extend"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FULFILL = "fulfill"
    CANCEL_FULFILLMENT = "cancel_fulfillment"
    FULFILLMENT_ISSUED = "fulfillment_issued"
    FULFILLMENT_CANCELLED = "fulfillment_cancelled"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an action is allowed, and where it leads; None leaves the status as it is."""

    froms: frozenset[OrderStatus]
    to: OrderStatus | None


def _transition(*froms: OrderStatus, to: OrderStatus | None = None) -> Transition:
    return Transition(frozenset(froms), to)


TRANSITIONS: Mapping[Action, Transition] = MappingProxyType(
    {
        Action.PLACE: _transition(to=OrderStatus.PENDING),
        Action.RESERVE: _transition(OrderStatus.PENDING, to=OrderStatus.RESERVED),
        Action.CONFIRM: _transition(
            OrderStatus.PENDING, OrderStatus.RESERVED, to=OrderStatus.CONFIRMED
        ),
        Action.REJECT: _transition(OrderStatus.PENDING, to=OrderStatus.REJECTED),
        Action.EXTEND: _transition(OrderStatus.RESERVED),
        Action.EXPIRE: _transition(OrderStatus.RESERVED, to=OrderStatus.EXPIRED),
        Action.CANCEL: _transition(
            OrderStatus.PENDING,
            OrderStatus.RESERVED,
            OrderStatus.CONFIRMED,
            to=OrderStatus.CANCELLED,
        ),
        Action.FULFILL: _transition(OrderStatus.CONFIRMED),
        Action.CANCEL_FULFILLMENT: _transition(OrderStatus.CONFIRMED),
        Action.FULFILLMENT_ISSUED: _transition(OrderStatus.CONFIRMED),
        Action.FULFILLMENT_CANCELLED: _transition(OrderStatus.CONFIRMED),
        Action.COMPLETE: _transition(OrderStatus.CONFIRMED, to=OrderStatus.FULFILLED),
    }
)
"""What may happen to an order, and where: the one table that decides. Nothing precedes PLACE."""


def allowed_actions(status: OrderStatus, *, open_units: int, moving_units: int) -> list[Action]:
    """Return what somebody may ask for an order that stands so.

    open_units are those no fulfillment takes, moving_units those in one that is under way. What
    has left stays gone: the rest of a confirmed order can still be called off.
    """
    match status:
        case OrderStatus.PENDING:
            return [Action.CANCEL]
        case OrderStatus.RESERVED:
            return [Action.CONFIRM, Action.EXTEND, Action.CANCEL]
        case OrderStatus.CONFIRMED:
            fulfill = [Action.FULFILL] if open_units else []
            cancel = [] if moving_units else [Action.CANCEL]
            return [*cancel, *fulfill]
        case _:
            return []


TERMINAL: frozenset[OrderStatus] = frozenset(OrderStatus).difference(
    *(transition.froms for transition in TRANSITIONS.values())
)
"""Where nothing more can happen to an order."""
