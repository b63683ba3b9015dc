"""Shipments over REST."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.modules.shipping.models import Shipment, ShipmentStatus
from app.web.fields import Text, Wire


class Dispatch(Wire):
    """Which carrier takes a shipment."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"carrier": "UPS", "tracking": "1Z999AA10123456784"}]}
    )

    carrier: Annotated[str, Text(80)]
    tracking: (
        Annotated[str, Text(200), Field(description="How the carrier knows the parcel.")] | None
    ) = None


class ShipmentView(BaseModel):
    """What leaves the house for one order."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    order_id: str
    status: ShipmentStatus
    carrier: str | None
    tracking: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shipment: Shipment) -> Self:
        """Show a shipment."""
        return cls.model_validate(shipment)
