"""What shipping tells the world. The only file of this module that others may import."""

from typing import ClassVar

from app.bus.event import Event


class ShipmentPrepared(Event):
    """A confirmed order has a shipment, which waits for its carrier."""

    type: ClassVar[str] = "shipping.shipment_prepared.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shipment_id: str


class ShipmentDispatched(Event):
    """A carrier has the shipment."""

    type: ClassVar[str] = "shipping.shipment_dispatched.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shipment_id: str
    carrier: str
    tracking: str | None = None


class ShipmentCalledOff(Event):
    """The order was cancelled before its shipment had left."""

    type: ClassVar[str] = "shipping.shipment_called_off.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    shipment_id: str
