"""docs/rest.md has every route, as OpenAPI tells it."""

from tests.contracts.openapi import document
from tests.contracts.rest_page import PAGE, by_hand, made


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == by_hand() + made(document()), (
        "run: python -m tests.contracts.openapi"
    )
