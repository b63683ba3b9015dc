"""Refusals of this module."""

from http import HTTPStatus
from typing import ClassVar

from app.errors import AppError


class ShipmentNotFoundError(AppError):
    """No shipment has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/shipping` lists the shipments."


class ShipmentStateConflictError(AppError):
    """The shipment has left, or was called off."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "shipment_state_conflict"
    title: ClassVar[str] = "The shipment is past that"
    remedy: ClassVar[str] = "Get it, and see its status: only what is `prepared` can leave."
