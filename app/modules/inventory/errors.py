"""Refusals of this module."""

from http import HTTPStatus
from typing import ClassVar

from app.errors import AppError


class DuplicateReferenceError(AppError):
    """Another receipt, or adjustment, carries this reference; `existing_id` names it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "duplicate_reference"
    title: ClassVar[str] = "Reference already used"
    remedy: ClassVar[str] = "It was booked before: get `existing_id`, or choose another reference."


class UnknownLocationError(AppError):
    """Stock was to be booked where there is no location; the member `locations` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "unknown_location"
    title: ClassVar[str] = "Unknown location"
    remedy: ClassVar[str] = "Create the locations first, or mend their ids."


class DuplicateLineError(AppError):
    """A count names a level twice, and cannot mean both; the member `lines` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "duplicate_line"
    title: ClassVar[str] = "Counted twice"
    remedy: ClassVar[str] = "Name each SKU once for each location."


class CountConflictError(AppError):
    """The books have changed since the counting began; nothing was booked.

    The member `lines` gives sku, location, expected_on_hand and on_hand of each that did.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "count_conflict"
    title: ClassVar[str] = "Stock changed since it was counted"
    remedy: ClassVar[str] = (
        "Look at what changed, count again where needed, and send the new figures."
    )


class WouldBreakReservationsError(AppError):
    """Less would be on hand than is reserved; nothing was booked.

    The member `lines` gives sku, location, on_hand, reserved and committed as they are, and
    wanted_on_hand, of each such level; `reservations` gives order_id, sku, location and quantity
    of up to 20 that hold units there, the newest first.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "would_break_reservations"
    title: ClassVar[str] = "Reserved units cannot be taken away"
    remedy: ClassVar[str] = "Cancel or fulfill enough of the orders in `reservations` first."


class TooMuchStockError(AppError):
    """A level would hold more than the database can count; the member `lines` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "too_much_stock"
    title: ClassVar[str] = "More stock than can be counted"
    remedy: ClassVar[str] = "Mend the quantities."


class LocationNotFoundError(AppError):
    """No location has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/inventory/locations` lists every location."


class ItemNotFoundError(AppError):
    """Nobody said how this SKU is kept."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`PUT /v1/inventory/items/{sku}` says how a SKU is kept."


class ReceiptNotFoundError(AppError):
    """No receipt has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "Check the id: it is in the answer to the receipt."


class AdjustmentNotFoundError(AppError):
    """No adjustment has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "Check the id: it is in the answer to the adjustment or count."


class ReservationNotFoundError(AppError):
    """Nothing was ever decided about this order's stock."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/inventory/reservations` lists what is held."


class PreconditionFailedError(AppError):
    """If-Match names a version that is not the current one; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    code: ClassVar[str] = "precondition_failed"
    title: ClassVar[str] = "Changed in the meantime"
    remedy: ClassVar[str] = "Get it as it stands, decide again, and send its ETag as If-Match."
