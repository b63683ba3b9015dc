"""Columns of Python values as PostgreSQL's arrays, in the form that costs least."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Integer, String, Text, Uuid, bindparam, cast
from sqlalchemy.types import TypeEngine


def parameter(name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return the parameter that takes a column's `value`."""
    if isinstance(type_, Integer | Uuid):
        return cast(bindparam(name, type_=String()), ARRAY(type_))
    if _is_short(type_):
        return cast(bindparam(name, type_=String()), ARRAY(String()))
    return bindparam(name, type_=ARRAY(type_))


def value(type_: TypeEngine[Any], values: Sequence[Any]) -> str | list[Any]:
    """Return a column as its `parameter` takes it; raises ValueError when a text holds NUL.

    One text: of an array the driver would look at each element by itself, for four times as much.
    """
    if isinstance(type_, Integer):
        return number_array(values)
    if isinstance(type_, Uuid):
        return uuid_array(values)
    return text_array(values) if _is_short(type_) else list(values)


def _is_short(type_: TypeEngine[Any]) -> bool:
    """Tell texts that are cheaper written into one; long ones cost more to quote than to pass."""
    return isinstance(type_, String) and not isinstance(type_, Text)


def number_array(values: Sequence[int | None]) -> str:
    """Return whole numbers as PostgreSQL writes an array of them."""
    return f"{{{','.join(map(str, values))}}}".replace("None", "NULL")


def uuid_array(values: Sequence[UUID | None]) -> str:
    """Return ids as PostgreSQL writes an array of them, in the form that is made fastest."""
    return f"{{{','.join(['NULL' if each is None else each.hex for each in values])}}}"


def text_array(values: Sequence[str | None]) -> str:
    """Return texts as PostgreSQL writes an array of them; raises ValueError on NUL."""
    if not values:
        return "{}"
    if None in values:
        quoted = ("NULL" if each is None else text_array([each])[1:-1] for each in values)
        return f"{{{','.join(quoted)}}}"
    # NUL is what stands in no text, so it can stand between them.
    joined = "\0".join(values)  # type: ignore[arg-type]  # None is not among them
    if joined.count("\0") >= len(values):
        msg = "a text holds NUL, and PostgreSQL keeps none that does"
        raise ValueError(msg)
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + escaped.replace("\0", '","') + '"}'
