"""Fulfillments over REST: units of an order that leave the house."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from app.modules.orders.models.life import FulfillmentStatus
from app.modules.orders.models.order import PlacedFulfillment
from app.modules.orders.schemas.products import MOMENT, example
from app.web.fields import Quantity, Sku, Text, Wire

_MOST_LINES = 1000


class NewFulfillmentLine(Wire):
    """How many units of a line shall leave; a SKU that comes twice is added up."""

    sku: Sku
    quantity: Quantity


class NewFulfillment(Wire):
    """Units of an order that shall leave: those of `lines`, or every unit that is open."""

    model_config = example(lines=[{"sku": "MUG", "quantity": 1}], tracking="1Z999AA10123456784")

    lines: (
        Annotated[list[NewFulfillmentLine], Field(min_length=1, max_length=_MOST_LINES)] | None
    ) = None
    tracking: (
        Annotated[str, Text(200), Field(description="How the carrier knows the parcel.")] | None
    ) = None


class FulfillmentLineView(BaseModel):
    """Units of a line."""

    sku: str
    quantity: int


class FulfillmentView(BaseModel):
    """Units of an order on their way out.

    `requested` until inventory has issued them, or `cancelling` until it has said whether they
    stay; then `issued` or `cancelled`.
    """

    model_config = example(
        id="ful_0199f2c4a1b27c3d9e8f7a6b5c4d3e2f",
        order_id="ord_0199f2c43c7b7d0a8b0e5f1d2c3b4a59",
        status="requested",
        tracking="1Z999AA10123456784",
        lines=[{"sku": "MUG", "quantity": 1}],
        created_at=MOMENT,
        updated_at=MOMENT,
    )

    id: str
    order_id: str
    status: FulfillmentStatus
    tracking: str | None
    lines: list[FulfillmentLineView]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, fulfillment: PlacedFulfillment) -> Self:
        """Show a fulfillment."""
        return cls(
            id=fulfillment.id,
            order_id=fulfillment.order_id,
            status=fulfillment.status,
            tracking=fulfillment.tracking,
            lines=[
                FulfillmentLineView(sku=sku, quantity=quantity)
                for sku, quantity in fulfillment.lines.items()
            ],
            created_at=fulfillment.created_at,
            updated_at=fulfillment.updated_at,
        )
