"""The types of what travels over REST: names, texts, quantities, and pages of them."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_BIGINT = 2**63 - 1
"""The largest integer either database keeps."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# For clients, in the part of regular expressions that all languages share. Python is stricter with
# names: it knows which characters have no shape.
_C = r"\x00-\x1f\x7f-\x9f"
_TEXT = rf"^[^{_C}]*[^\s{_C}][^{_C}]*$"
_NAME = rf"^[^\s{_C}]([^{_C}]*[^\s{_C}])?$"
_SKU = rf"^[^\s/{_C}]([^/{_C}]*[^\s/{_C}])?$"

_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_set = object.__setattr__


class Wire(BaseModel):
    """What a client sends: unknown fields are refused, so that a misspelt one is never lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(BaseModel, Generic[T]):
    """One page of a list; `next_cursor` asks for the next one and is null on the last."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next_cursor: str | None = None


def trusted(model: type[M], /, **fields: Any) -> M:  # noqa: ANN401 - of any model
    """Return a model of all its fields, which are known to fit: nothing is looked at.

    For what is shown of our own data. `model_construct` is for any model, and costs ten times it.
    """
    shown = model.__new__(model)
    _set(shown, "__dict__", fields)
    _set(shown, "__pydantic_fields_set__", set(fields))
    _set(shown, "__pydantic_extra__", None)
    _set(shown, "__pydantic_private__", None)
    return shown


@dataclass(frozen=True, slots=True)
class Text:
    """Bounded text for people: `Title = Annotated[str, Text(200)]`.

    Not blank, and without control characters; both databases can keep it and every log line can
    show it. Lone surrogates are refused by pydantic itself.
    """

    most: int
    least: int = 1

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        """Check the length first: a pattern is never run over a megabyte."""
        bounded = core_schema.str_schema(strict=True, min_length=self.least, max_length=self.most)
        return core_schema.no_info_after_validator_function(_shown, bounded)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell clients what they can check themselves."""
        return handler(schema) | ({"pattern": _TEXT} if self.least else {})


@dataclass(frozen=True, slots=True)
class Name:
    """A bounded name that people type and compare: `Reference = Annotated[str, Name(120)]`.

    Printable characters only, without blanks at either end: two names that look alike are alike.
    """

    most: int

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        """Check the length first, then the characters."""
        bounded = core_schema.str_schema(strict=True, min_length=1, max_length=self.most)
        return core_schema.no_info_after_validator_function(_named, bounded)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell clients what they can check themselves: most of it."""
        return handler(schema) | {"pattern": _NAME}


def has_control_characters(value: str) -> bool:
    """Tell whether value holds a character, such as NUL, that no database text may hold."""
    return _CONTROL.search(value) is not None


def _shown(value: str) -> str:
    if has_control_characters(value):
        code = "control_character"
        raise PydanticCustomError(
            code, "Text cannot hold control characters such as NUL or newline"
        )
    if value and not value.strip():
        code = "blank"
        raise PydanticCustomError(code, "Text should not be blank")
    return value


def _named(value: str) -> str:
    if not value.isprintable():
        code = "not_printable"
        raise PydanticCustomError(code, "A name can only hold printable characters")
    if value.strip() != value:
        code = "outer_blank"
        raise PydanticCustomError(code, "A name should not begin or end with a blank")
    return value


def _digits(value: object) -> object:
    # pydantic reads "1.0", " 1 " and "1_000" as well, and a URL should be read in one way only.
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        code = "int_parsing"
        raise PydanticCustomError(code, "A whole number is written in digits alone")
    return value


def _addressable(value: str) -> str:
    # A SKU is one segment of a path, and clients fold `.` and `..` away before they send them.
    if "/" in value or value in {".", ".."}:
        code = "not_addressable"
        raise PydanticCustomError(code, "A SKU cannot hold '/' and cannot be '.' or '..'")
    return value


Whole = Annotated[int, BeforeValidator(_digits)]
"""A whole number of a query or header, 0 or more: digits alone."""

Sku = Annotated[
    str,
    Name(64),
    AfterValidator(_addressable),
    Field(
        description="Names one product: 1 to 64 printable characters, no '/'.",
        examples=["MUG"],
        json_schema_extra={"pattern": _SKU},
    ),
]
Quantity = Annotated[
    int, Field(strict=True, ge=1, le=1_000_000, description="Whole pieces.", examples=[2])
]
Reference = Annotated[
    str,
    Name(120),
    Field(description="The caller's own unique name for it.", examples=["PO-7"]),
]
