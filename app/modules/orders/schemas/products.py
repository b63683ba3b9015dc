"""Products and their prices over REST."""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.modules.orders.models.money import LARGEST, decimal, exponent
from app.modules.orders.models.tables import Product
from app.web.fields import Sku, Text, Wire, trusted

_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,19})(\.(?P<part>[0-9]{1,4}))?")

MOMENT = "2026-03-01T09:30:00.123000Z"
"""A moment for examples."""

MUG: dict[str, Any] = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
"""A product for examples."""


def example(**members: Any) -> ConfigDict:  # noqa: ANN401 - members of a JSON document
    """Return the part of a model's configuration that shows what it looks like."""
    return ConfigDict(json_schema_extra={"examples": [members]})


class Money(Wire):
    """An exact amount: a decimal string, never a float, in a currency of ISO 4217.

    It has at most as many decimals as the currency: 2 for GBP, none for JPY.
    """

    model_config = example(amount="4.25", currency="GBP")

    amount: Annotated[
        str,
        Field(
            max_length=24,
            examples=["4.25"],
            json_schema_extra={"pattern": r"^[0-9]{1,19}(\.[0-9]{1,4})?$"},
        ),
    ]
    currency: Annotated[
        str,
        Field(
            min_length=3,
            max_length=3,
            examples=["GBP"],
            json_schema_extra={"pattern": "^[A-Z]{3}$"},
        ),
    ]

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
        # Not validated again: the database holds nothing that was not.
        return trusted(Money, amount=decimal(minor, currency), currency=currency)

    @staticmethod
    def plain(minor: int, currency: str) -> dict[str, str]:
        """Return what the JSON of `of` says."""
        return {"amount": decimal(minor, currency), "currency": currency}


class ProductValues(Wire):
    """What a product shall be; an inactive one cannot be ordered."""

    model_config = example(**MUG)

    title: Annotated[str, Text(200), Field(examples=["Mug"])]
    unit_price: Money
    active: StrictBool = True


class ProductView(BaseModel):
    """A product as it is now."""

    model_config = example(sku="MUG", **MUG, active=True, created_at=MOMENT, updated_at=MOMENT)

    sku: Sku
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
