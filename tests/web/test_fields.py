"""What a name, a text and a quantity can be."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.web.fields import Page, Quantity, Reference, Sku, Text, Wire


def fits(kind: Any, value: object) -> bool:  # noqa: ANN401 - any annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "value", ["M", "85123A", "gift_0001_20", "T 1", "Tässe", "杯", "a\\b", "x" * 64]
)
def test_a_sku_is_any_printable_name(value: str) -> None:
    assert fits(Sku, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " a",
        "a ",
        "a/b",
        ".",
        "..",
        "a\x00",
        "a\n",
        "a\x7f",
        "a\u200b",
        "a\u2028",
        "a\xa0b",
    ],
)
def test_a_sku_that_looks_like_another_or_leaves_its_path_is_refused(value: str) -> None:
    assert not fits(Sku, value)


@pytest.mark.parametrize("value", ["x" * 65, 5, None, b"a", "\ud800"])
def test_a_sku_is_text_of_at_most_64_characters(value: object) -> None:
    assert not fits(Sku, value)


def test_a_reference_has_at_most_120_characters() -> None:
    assert fits(Reference, "x" * 120)
    assert not fits(Reference, "x" * 121)


@pytest.mark.parametrize("value", ["HOLDER ", "Mug, 0.3 l", "½ pint / large", "😀"])
def test_a_text_is_kept_as_people_write_it(value: str) -> None:
    assert TypeAdapter(Annotated[str, Text(20)]).validate_python(value) == value


@pytest.mark.parametrize("value", ["", "   ", "a\x00b", "a\nb", "a\x85b", "\udfff", "x" * 21])
def test_a_text_is_neither_blank_nor_unprintable_nor_too_long(value: str) -> None:
    assert not fits(Annotated[str, Text(20)], value)


@pytest.mark.parametrize("value", [1, 1_000_000])
def test_a_quantity_is_a_whole_number_of_pieces(value: int) -> None:
    assert fits(Quantity, value)


@pytest.mark.parametrize("value", [0, -1, 1_000_001, 2**70, 1.0, "1", True, None, float("nan")])
def test_nothing_else_is_a_quantity(value: object) -> None:
    assert not fits(Quantity, value)


def test_a_misspelt_field_is_refused() -> None:
    class Sent(Wire):
        name: str = ""

    with pytest.raises(ValidationError):
        Sent.model_validate({"nmae": "x"})


def test_a_page_without_a_next_one_says_null() -> None:
    assert Page[int](items=[1]).model_dump_json() == '{"items":[1],"next_cursor":null}'


def test_the_schema_shows_the_bounds() -> None:
    schema = TypeAdapter(Sku).json_schema()

    assert (schema["minLength"], schema["maxLength"]) == (1, 64)
