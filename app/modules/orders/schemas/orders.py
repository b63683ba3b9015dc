"""Orders over REST: as they are placed, and as they stand."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, to_json

from app.modules.orders.models.life import ConfirmMode, OrderStatus
from app.modules.orders.models.order import (
    ExpectedPrice,
    ListedOrder,
    OrderDraft,
    PlacedLine,
    PlacedOrder,
)
from app.modules.orders.schemas.fulfillments import FulfillmentView
from app.modules.orders.schemas.products import MOMENT, Money, example
from app.web.fields import Name, Quantity, Reference, Sku, Wire, trusted

MOST_LINES = 1000
"""How many lines an order may have."""

MOST_ORDERS = 100
"""How many orders a batch may have."""

SHORTEST_HOLD_S = 60
"""For how long an order can ask to be held, at least."""

_LONGEST_HOLD_S = 2**31 - 1

ORDER_ID = "ord_0199f2c43c7b7d0a8b0e5f1d2c3b4a59"
"""An order's id for examples."""

CustomerId = Annotated[
    str, Name(120), Field(description="The caller's name for its customer.", examples=["c-1"])
]
HoldSeconds = Annotated[
    int,
    Field(
        strict=True,
        ge=SHORTEST_HOLD_S,
        le=_LONGEST_HOLD_S,
        description="For how long stock is held: APP_HOLD_LIMIT_S at most.",
        examples=[900],
    ),
]
AskableAction: TypeAlias = Literal["confirm", "extend", "cancel", "fulfill"]


class NewLine(Wire):
    """How many units of a product are wanted; a SKU that comes twice is added up.

    With expected_unit_price the order is refused when the price is another one by now.
    """

    sku: Sku
    quantity: Quantity
    expected_unit_price: Money | None = None


class NewOrder(Wire):
    """An order to place. Prices are the server's.

    With `confirm: manual` its stock is held until somebody confirms it, or hold_seconds are over.
    """

    model_config = example(
        customer_id="c-1", lines=[{"sku": "MUG", "quantity": 2}], reference="WEB-1001"
    )

    customer_id: CustomerId
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=MOST_LINES)]
    reference: Reference | None = None
    confirm: ConfirmMode = ConfirmMode.AUTO
    hold_seconds: HoldSeconds | None = None

    @field_validator("hold_seconds")
    @classmethod
    def _is_held(cls, seconds: int | None, info: ValidationInfo) -> int | None:
        if seconds is not None and info.data.get("confirm") is ConfirmMode.AUTO:
            raise PydanticCustomError(
                "not_held", "Only an order with `confirm: manual` is held for somebody to confirm"
            )
        return seconds

    def draft(self, *, hold_s: int, actor: str) -> OrderDraft:
        """Return what to place, under a new id; hold_s is for manual ones that do not say."""
        return OrderDraft(
            customer_id=self.customer_id,
            lines=[(line.sku, line.quantity) for line in self.lines],
            reference=self.reference,
            confirm=self.confirm,
            hold_s=self.hold_seconds or hold_s,
            expected=[
                ExpectedPrice(
                    sku=line.sku,
                    unit_price_minor=line.expected_unit_price.minor,
                    currency=line.expected_unit_price.currency,
                )
                for line in self.lines
                if line.expected_unit_price is not None
            ],
            actor=actor,
        )


class NewOrders(Wire):
    """Orders to place in one go, each with an outcome of its own."""

    model_config = example(
        orders=[
            {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 2}]},
            {"customer_id": "c-2", "lines": [{"sku": "CUP", "quantity": 1}], "confirm": "manual"},
        ]
    )

    orders: Annotated[list[NewOrder], Field(min_length=1, max_length=MOST_ORDERS)]


class LineView(BaseModel):
    """A line with the title and price of the moment the order was placed.

    Of the quantity, `fulfilling` units are on their way out and `fulfilled` have left.
    """

    sku: str
    title: str
    quantity: int
    unit_price: Money
    total: Money
    fulfilling: int
    fulfilled: int

    @classmethod
    def of(cls, line: PlacedLine, currency: str) -> Self:
        """Show a line of an order in this currency."""
        return trusted(cls, **_line(line, currency, Money.of))


class ShortageView(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    sku: str
    requested: int
    available: int


_HEAD: dict[str, Any] = {
    "id": ORDER_ID,
    "reference": "WEB-1001",
    "status": "confirmed",
    "customer_id": "c-1",
    "total": {"amount": "8.50", "currency": "GBP"},
    "confirm": "auto",
    "hold_seconds": None,
    "reserved_at": None,
    "expires_at": None,
    "cancel_reason": None,
    "allowed_actions": ["cancel", "fulfill"],
    "version": 2,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}


class _OrderHead(BaseModel):
    """What every representation of an order has."""

    id: str
    reference: str | None
    status: OrderStatus
    customer_id: str
    total: Money
    confirm: ConfirmMode
    hold_seconds: int | None
    reserved_at: datetime | None
    expires_at: datetime | None
    cancel_reason: str | None
    allowed_actions: list[AskableAction]
    version: int
    created_at: datetime
    updated_at: datetime


class OrderSummary(_OrderHead):
    """An order in a list, without its lines.

    allowed_actions are what may be asked for it as it stands; version is its ETag. A manual order
    is held from reserved_at on, until expires_at at least.
    """

    model_config = example(**_HEAD)

    @classmethod
    def of(cls, order: ListedOrder) -> Self:
        """Show an order of a list."""
        return trusted(cls, **_head(order, Money.of))


class OrderView(_OrderHead):
    """An order as it stands; `shortages` lists every short line of a rejected one.

    allowed_actions are what may be asked for it now; version is its ETag. A manual order is held
    from reserved_at on, until expires_at at least.
    """

    model_config = example(
        **_HEAD,
        lines=[
            {
                "sku": "MUG",
                "title": "Mug",
                "quantity": 2,
                "unit_price": {"amount": "4.25", "currency": "GBP"},
                "total": {"amount": "8.50", "currency": "GBP"},
                "fulfilling": 0,
                "fulfilled": 0,
            }
        ],
        shortages=[],
        fulfillments=[],
    )

    lines: list[LineView]
    shortages: list[ShortageView]
    fulfillments: list[FulfillmentView]

    @classmethod
    def of(cls, order: PlacedOrder) -> Self:
        """Show an order."""
        return trusted(
            cls,
            **_head(order, Money.of),
            lines=[LineView.of(line, order.currency) for line in order.lines],
            shortages=[
                ShortageView(sku=line.sku, requested=line.quantity, available=line.available)
                for line in order.lines
                if line.available is not None
            ],
            fulfillments=[FulfillmentView.of(one) for one in order.fulfillments],
        )

    @classmethod
    def json_of(cls, order: PlacedOrder) -> str:
        """Return the JSON of `of`, without the models in between: they cost more than the text."""
        shown = _head(order, Money.plain)
        shown["lines"] = [_line(line, order.currency, Money.plain) for line in order.lines]
        shown["shortages"] = [
            {"sku": line.sku, "requested": line.quantity, "available": line.available}
            for line in order.lines
            if line.available is not None
        ]
        shown["fulfillments"] = [FulfillmentView.of(one) for one in order.fulfillments]
        return to_json(shown).decode()


def _line(line: PlacedLine, currency: str, money: Callable[[int, str], object]) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price": money(line.unit_price_minor, currency),
        "total": money(line.total_minor, currency),
        "fulfilling": line.fulfilling,
        "fulfilled": line.fulfilled,
    }


def _head(order: ListedOrder | PlacedOrder, money: Callable[[int, str], object]) -> dict[str, Any]:
    return {
        "id": order.id,
        "reference": order.reference,
        "status": order.status,
        "customer_id": order.customer_id,
        "total": money(order.total_minor, order.currency),
        "confirm": order.confirm,
        "hold_seconds": order.hold_s,
        "reserved_at": order.reserved_at,
        "expires_at": order.expires_at,
        "cancel_reason": order.cancel_reason,
        "allowed_actions": [action.value for action in order.allowed_actions],
        "version": order.version,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }
