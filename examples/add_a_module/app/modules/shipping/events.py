"""What shipping tells the world. The only file of this module that others may import."""

from typing import ClassVar

from pydantic import Field

from app.bus.event import Event, example

_ORDER_ID = "ord_0199c2d4a8ef7d19a3c652e8f4b1076d"
_SHIPMENT_ID = "shp_0199c2d4a9017c1e9b2a6f1d3c5e7a90"


class ShipmentPrepared(Event):
    """A confirmed order has a shipment, which waits for its carrier."""

    model_config = example(order_id=_ORDER_ID, shipment_id=_SHIPMENT_ID)

    type: ClassVar[str] = "shipping.shipment_prepared.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str = Field(description="The order it is for.")
    shipment_id: str = Field(description="The shipment.")


class ShipmentDispatched(Event):
    """A carrier has the shipment."""

    model_config = example(
        order_id=_ORDER_ID,
        shipment_id=_SHIPMENT_ID,
        carrier="UPS",
        tracking="1Z999AA10123456784",
    )

    type: ClassVar[str] = "shipping.shipment_dispatched.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str = Field(description="The order it is for.")
    shipment_id: str = Field(description="The shipment.")
    carrier: str = Field(description="Who has it.")
    tracking: str | None = Field(None, description="How the carrier knows the parcel.")


class ShipmentCalledOff(Event):
    """The order was cancelled before its shipment had left."""

    model_config = example(order_id=_ORDER_ID, shipment_id=_SHIPMENT_ID)

    type: ClassVar[str] = "shipping.shipment_called_off.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str = Field(description="The order that was cancelled.")
    shipment_id: str = Field(description="The shipment that stays.")
