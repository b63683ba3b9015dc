"""Refusals of this module."""

from http import HTTPStatus
from typing import ClassVar

from app.errors import AppError


class OrderNotFoundError(AppError):
    """No order has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/orders` lists the orders this key may see."


class ProductNotFoundError(AppError):
    """No product has this SKU."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/products` lists every product."


class UnknownSkuError(AppError):
    """The order names SKUs that are not products; the member `skus` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "unknown_sku"
    title: ClassVar[str] = "Unknown SKU"
    remedy: ClassVar[str] = "Create the products first, or mend the SKUs."


class InactiveProductError(AppError):
    """The order names products that are not for sale now; the member `skus` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "inactive_product"
    title: ClassVar[str] = "Product not for sale"
    remedy: ClassVar[str] = "Leave those lines out, or make the products active again."


class CurrencyMixedError(AppError):
    """The products of one order are priced in different currencies; `currencies` lists them."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "currency_mixed"
    title: ClassVar[str] = "More than one currency in an order"
    remedy: ClassVar[str] = "Place one order for each currency."


class TotalTooLargeError(AppError):
    """The order is worth more than the database can count."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "total_too_large"
    title: ClassVar[str] = "Total too large"
    remedy: ClassVar[str] = "Place several smaller orders."


class DuplicateReferenceError(AppError):
    """Another order carries this reference; the member `existing_id` names it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "duplicate_reference"
    title: ClassVar[str] = "Reference already used"
    remedy: ClassVar[str] = "It was taken before: get `existing_id`, or choose another reference."


class PreconditionFailedError(AppError):
    """If-Match names a version that is not the current one; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    code: ClassVar[str] = "precondition_failed"
    title: ClassVar[str] = "Changed in the meantime"
    remedy: ClassVar[str] = "Get it as it stands, decide again, and send its ETag as If-Match."


class PriceChangedError(AppError):
    """A price is not what the order expects; `prices` lists each: sku, expected, current."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "price_changed"
    title: ClassVar[str] = "Price changed"
    remedy: ClassVar[str] = "Show the current prices to whoever decides, and send those."


class OrderStateConflictError(AppError):
    """The order does not stand where this may happen to it; nothing was changed.

    The members `current_status` and `allowed_actions` say where it stands and what may.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "order_state_conflict"
    title: ClassVar[str] = "Not possible for the order as it stands"
    remedy: ClassVar[str] = "Get the order, and do one of its `allowed_actions`."


class ExtendLimitError(AppError):
    """The order would hold its stock for too long; `latest` is the last moment allowed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "extend_limit"
    title: ClassVar[str] = "Held for too long"
    remedy: ClassVar[str] = "Confirm the order by `latest`, or cancel it and place it anew."


class FulfillmentNotFoundError(AppError):
    """The order has no fulfillment of this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = "`GET /v1/orders/{id}/fulfillments` lists the order's fulfillments."


class FulfillmentIssuedError(AppError):
    """The fulfillment has left the house and cannot be cancelled."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "fulfillment_issued"
    title: ClassVar[str] = "Already issued"
    remedy: ClassVar[str] = "What has left cannot be called back; receive it again when it returns."


class ExceedsOpenQuantityError(AppError):
    """A fulfillment asks for more units than are open; `lines` lists each: sku, requested, open."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "exceeds_open_quantity"
    title: ClassVar[str] = "More than is open"
    remedy: ClassVar[str] = "Ask for what is open, or leave the lines out to ask for all of it."
