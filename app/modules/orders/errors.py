"""Refusals of this module."""

from http import HTTPStatus
from typing import ClassVar

from app.errors import AppError


class OrderNotFoundError(AppError):
    """No order has this id."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"


class ProductNotFoundError(AppError):
    """No product has this SKU."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"


class UnknownSkuError(AppError):
    """The order names SKUs that are not products; the member `skus` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "unknown_sku"
    title: ClassVar[str] = "Unknown SKU"


class InactiveProductError(AppError):
    """The order names products that are not for sale now; the member `skus` lists them all."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "inactive_product"
    title: ClassVar[str] = "Product not for sale"


class CurrencyMixedError(AppError):
    """The products of one order are priced in different currencies; `currencies` lists them."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "currency_mixed"
    title: ClassVar[str] = "More than one currency in an order"


class TotalTooLargeError(AppError):
    """The order is worth more than the database can count."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "total_too_large"
    title: ClassVar[str] = "Total too large"


class DuplicateReferenceError(AppError):
    """Another order carries this reference; the member `existing_id` names it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "duplicate_reference"
    title: ClassVar[str] = "Reference already used"


class PreconditionFailedError(AppError):
    """If-Match names a version that is not the current one; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    code: ClassVar[str] = "precondition_failed"
    title: ClassVar[str] = "Changed in the meantime"
