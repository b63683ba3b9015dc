"""Lists in pages: every row once, and no cursor but the list's own."""

import base64
import json

import httpx2
import pytest
from sqlalchemy import insert

from app.db import Database
from app.web.paging import InvalidCursorError, Paging
from tests.web.sample import problem_of, things


@pytest.fixture
async def shop(sqlite: Database, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Connect to a server that has seven things, of two kinds."""
    async with sqlite.write() as session:
        rows = [{"sku": f"S{number % 2}", "quantity": number} for number in range(1, 8)]
        await session.execute(insert(things), rows)
    return client


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


async def test_the_pages_of_a_list_hold_every_row_once(shop: httpx2.AsyncClient) -> None:
    pages: list[list[int]] = []
    query: dict[str, str] = {"limit": "3"}

    while len(pages) < 4:
        page = (await shop.get("/v1/things", params=query)).json()
        pages.append([thing["quantity"] for thing in page["items"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert pages == [[1, 2, 3], [4, 5, 6], [7]]


async def test_a_list_that_just_fits_has_no_next_page(shop: httpx2.AsyncClient) -> None:
    page = (await shop.get("/v1/things?limit=7")).json()

    assert len(page["items"]) == 7
    assert page["next_cursor"] is None


async def test_a_cursor_works_with_another_limit(shop: httpx2.AsyncClient) -> None:
    first = (await shop.get("/v1/things?limit=1")).json()

    second = (await shop.get(f"/v1/things?limit=2&cursor={first['next_cursor']}")).json()

    assert [thing["quantity"] for thing in second["items"]] == [2, 3]


@pytest.mark.parametrize("filters", ["", "sku=S1", "sku=S0&sku=S0"])
async def test_a_cursor_for_other_filters_is_refused(
    shop: httpx2.AsyncClient, filters: str
) -> None:
    first = (await shop.get("/v1/things?limit=1&sku=S0")).json()

    response = await shop.get(f"/v1/things?{filters}&cursor={first['next_cursor']}")

    assert response.status_code == 422
    assert problem_of(response)["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!", "%00", "%F0%9F%98%80", "W10", "bnVsbA", "MQ", "e30", "a" * 3000, "W1tb" * 400],
)
async def test_what_is_no_cursor_is_refused(shop: httpx2.AsyncClient, cursor: str) -> None:
    response = await shop.get(f"/v1/things?cursor={cursor}")

    assert response.status_code == 422
    assert problem_of(response)["code"] in {"invalid_cursor", "validation_failed"}


@pytest.mark.parametrize(
    "key", [[], [1, 2], ["1"], [1.0], [True], [None], [[1]], [2**63], [-(2**64)]]
)
def test_a_forged_key_that_no_query_could_take_is_refused(key: list[object]) -> None:
    bound_to = Paging(1, None, "/v1/things")._binding({})

    with pytest.raises(InvalidCursorError):
        Paging(1, forged(bound_to, *key), "/v1/things").after({}, int)


@pytest.mark.parametrize("key", [1, "a\x00", "\ud800"])
def test_a_forged_text_that_no_query_could_take_is_refused(key: object) -> None:
    bound_to = Paging(1, None, "/v1/things")._binding({})

    with pytest.raises(InvalidCursorError):
        Paging(1, forged(bound_to, key), "/v1/things").after({}, str)


def test_a_cursor_of_another_list_is_refused() -> None:
    page = Paging(1, None, "/v1/orders").page([1, 2], {}, lambda number: (number,))

    with pytest.raises(InvalidCursorError):
        Paging(1, page.next_cursor, "/v1/things").after({}, int)


def test_a_key_may_have_several_parts_and_any_letters() -> None:
    page = Paging(1, None, "/").page(["Tässe", "x"], {"a": None}, lambda name: (name, 7))

    assert Paging(1, page.next_cursor, "/").after({"a": None}, str, int) == ("Tässe", 7)


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "201",
        "-1",
        "x",
        "",
        "1e9",
        "9" * 5000,
        "1.0",
        "%201",
        "1_0",
        "%2B1",
        "01",
        "-0",
        "\u0661",
    ],
)
async def test_a_limit_is_between_1_and_200(shop: httpx2.AsyncClient, limit: str) -> None:
    response = await shop.get(f"/v1/things?limit={limit}")

    assert response.status_code == 422
    (error,) = problem_of(response)["errors"]
    assert (error["location"], error["pointer"]) == ("query", "/limit")
