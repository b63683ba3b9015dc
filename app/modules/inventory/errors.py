"""Refusals of this module."""

from http import HTTPStatus
from typing import ClassVar

from app.errors import AppError


class DuplicateReferenceError(AppError):
    """Another receipt carries this reference; the member `existing_id` names it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "duplicate_reference"
    title: ClassVar[str] = "Reference already used"
