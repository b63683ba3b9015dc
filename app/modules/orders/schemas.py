"""What orders reads and writes over REST."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.modules.orders.models import (
    LARGEST,
    Order,
    OrderStatus,
    PlacedLine,
    PlacedOrder,
    Product,
    exponent,
)
from app.web.fields import Name, Quantity, Reference, Sku, Text, Wire

MOST_LINES = 1000
"""How many lines an order may have."""

_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,19})(\.(?P<part>[0-9]{1,4}))?")

CustomerId = Annotated[
    str, Name(120), Field(description="The caller's name for its customer.", examples=["c-1"])
]


class Money(Wire):
    """An exact amount: a decimal string, never a float, in a currency of ISO 4217.

    It has at most as many decimals as the currency: 2 for GBP, none for JPY.
    """

    amount: str = Field(examples=["4.25"], max_length=24)
    currency: str = Field(examples=["GBP"], min_length=3, max_length=3)

    @model_validator(mode="after")
    def _exact(self) -> Self:
        """Refuse what cannot be kept exactly."""
        if exponent(self.currency) is None:
            raise PydanticCustomError(
                "unknown_currency", "The currency should be an ISO 4217 code such as GBP"
            )
        if not _AMOUNT.fullmatch(self.amount):
            raise PydanticCustomError(
                "amount_form", "The amount should be a decimal number such as 4.25, without a sign"
            )
        if self.minor > LARGEST:
            raise PydanticCustomError("amount_too_large", "The amount is too large to be kept")
        return self

    @property
    def minor(self) -> int:
        """The amount in the currency's smallest unit."""
        places = exponent(self.currency) or 0
        whole, _, part = self.amount.partition(".")
        if len(part) > places:
            raise PydanticCustomError(
                "amount_precision",
                "{currency} has {places} decimals, and the amount has more",
                {"currency": self.currency, "places": places},
            )
        return int(whole + part.ljust(places, "0"))

    @staticmethod
    def of(minor: int, currency: str) -> "Money":
        """Write an amount of smallest units with all the decimals its currency has."""
        places = exponent(currency) or 0
        digits = str(minor).rjust(places + 1, "0")
        amount = f"{digits[:-places]}.{digits[-places:]}" if places else digits
        # Not validated again: the database holds nothing that was not.
        return Money.model_construct(amount=amount, currency=currency)


class ProductValues(Wire):
    """What a product shall be; an inactive one cannot be ordered."""

    title: Annotated[str, Text(200), Field(examples=["Mug"])]
    unit_price: Money
    active: StrictBool = True


class ProductView(BaseModel):
    """A product as it is now."""

    sku: str
    title: str
    unit_price: Money
    active: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, product: Product) -> Self:
        """Show a product."""
        return cls(
            sku=product.sku,
            title=product.title,
            unit_price=Money.of(product.unit_price_minor, product.currency),
            active=product.active,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )


class NewLine(Wire):
    """How many units of a product are wanted; a SKU that comes twice is added up."""

    sku: Sku
    quantity: Quantity


class NewOrder(Wire):
    """An order to place. Prices are the server's."""

    customer_id: CustomerId
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=MOST_LINES)]
    reference: Reference | None = None


class LineView(BaseModel):
    """A line with the title and price of the moment the order was placed."""

    sku: str
    title: str
    quantity: int
    unit_price: Money
    total: Money

    @classmethod
    def of(cls, line: PlacedLine, currency: str) -> Self:
        """Show a line of an order in this currency."""
        return cls(
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price=Money.of(line.unit_price_minor, currency),
            total=Money.of(line.total_minor, currency),
        )


class ShortageView(BaseModel):
    """A line that could not be served: what it asked for, and what there was."""

    sku: str
    requested: int
    available: int


class OrderSummary(BaseModel):
    """An order in a list, without its lines."""

    id: str
    reference: str | None
    status: OrderStatus
    customer_id: str
    total: Money
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, order: Order) -> Self:
        """Show an order of a list."""
        return cls(
            id=order.id,
            reference=order.reference,
            status=OrderStatus(order.status),
            customer_id=order.customer_id,
            total=Money.of(order.total_minor, order.currency),
            created_at=order.created_at,
            updated_at=order.updated_at,
        )


class OrderView(BaseModel):
    """An order as it stands; `shortages` lists every short line of a rejected one."""

    id: str
    reference: str | None
    status: OrderStatus
    customer_id: str
    total: Money
    lines: list[LineView]
    shortages: list[ShortageView]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, order: PlacedOrder) -> Self:
        """Show an order."""
        return cls(
            id=order.id,
            reference=order.reference,
            status=order.status,
            customer_id=order.customer_id,
            total=Money.of(order.total_minor, order.currency),
            lines=[LineView.of(line, order.currency) for line in order.lines],
            shortages=[
                ShortageView(sku=line.sku, requested=line.quantity, available=line.available)
                for line in order.lines
                if line.available is not None
            ],
            created_at=order.created_at,
            updated_at=order.updated_at,
        )
