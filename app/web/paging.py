"""Lists, page by page: a keyset cursor neither skips nor repeats rows that stay where they are."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request

from app.errors import AppError
from app.web.fields import MAX_BIGINT, Page, Whole, has_control_characters

_LONGEST_CURSOR = 2000

T = TypeVar("T")
Key = tuple[str | int, ...]


class InvalidCursorError(AppError):
    """The cursor was not made by this list, or was made for other filters."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "invalid_cursor"
    title: ClassVar[str] = "The cursor does not fit this list"
    remedy: ClassVar[str] = (
        "Begin without a cursor, or send the filters with which this one was returned."
    )


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a page begins and how many rows it may have.

    Ask the database for `limit + 1` rows after `after(...)`, and hand them all to `page(...)`: the
    extra row tells whether there is a next page. Both take the filters the list was asked with, so
    that a cursor cannot wander into another list.
    """

    limit: int
    cursor: str | None
    path: str

    def after(self, filters: Mapping[str, object], *kinds: type[str] | type[int]) -> Key | None:
        """Return the key of the last row already seen, or None for the first page.

        kinds are the types of the key's parts. Raises InvalidCursorError.
        """
        if self.cursor is None:
            return None
        try:
            bound_to, *key = _decode(self.cursor)
        except (ValueError, TypeError, RecursionError):
            bound_to, key = None, []
        fits = len(key) == len(kinds) and all(map(_fits, key, kinds))
        if not fits or bound_to != self._binding(filters):
            msg = "The cursor is not one this list returned for these filters; begin without it."
            raise InvalidCursorError(msg)
        return tuple(key)

    def page(
        self, found: Sequence[T], filters: Mapping[str, object], key: Callable[[T], Key]
    ) -> Page[T]:
        """Return the page, with a cursor when found holds more than fits on it."""
        items = list(found[: self.limit])
        if len(found) <= self.limit:
            return Page(items=items)
        return Page(items=items, next_cursor=self.cursor_at(filters, *key(items[-1])))

    def cursor_at(self, filters: Mapping[str, object], *key: str | int) -> str:
        """Return the cursor of what comes after the row with this key."""
        return _encode([self._binding(filters), *key])

    def _binding(self, filters: Mapping[str, object]) -> str:
        text = json.dumps([self.path, dict(filters)], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


Limit = Annotated[Whole, Query(ge=1, le=200, description="Most items on the page.")]


async def paging(
    request: Request,
    limit: Limit = 50,
    cursor: Annotated[
        str | None,
        Query(
            description="`next_cursor` of the page before; opaque.",
            json_schema_extra={"minLength": 1, "maxLength": _LONGEST_CURSOR},
        ),
    ] = None,
) -> Paging:
    """Read `limit` and `cursor` from the query."""
    return Paging(limit, cursor, request.url.path)


PagingDep = Annotated[Paging, Depends(paging)]


def uuid_of(part: str | int) -> UUID:
    """Return a part of a key that is an id; raises InvalidCursorError when it was forged."""
    try:
        return UUID(str(part))
    except ValueError as error:
        msg = "The cursor is not one this list returned; begin without it."
        raise InvalidCursorError(msg) from error


def _fits(part: object, kind: type) -> bool:
    """Tell whether part is a kind, and one that a database takes: a cursor can be forged."""
    if type(part) is not kind:
        return False
    if isinstance(part, str):
        return not has_control_characters(part)
    return isinstance(part, int) and abs(part) <= MAX_BIGINT


def _encode(parts: list[str | int]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> list[Any]:
    if len(cursor) > _LONGEST_CURSOR:
        msg = "longer than any cursor"
        raise ValueError(msg)
    padded = cursor + "=" * (-len(cursor) % 4)
    parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if not isinstance(parts, list):
        msg = "not a list"
        raise TypeError(msg)
    # JSON can spell half a surrogate pair, which no database takes.
    json.dumps(parts, ensure_ascii=False).encode()
    return parts
