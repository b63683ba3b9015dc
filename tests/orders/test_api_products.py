"""Products over REST, in front of every database."""

from typing import Any

import httpx2
import pytest

from tests.orders.rest import MUG, SQLITE, put


async def test_a_product_is_made_found_and_changed(client: httpx2.AsyncClient) -> None:
    made = await put(client, "MUG", MUG)
    found = await client.get("/v1/products/MUG")
    again = await put(client, "MUG", MUG)
    changed = await put(client, "MUG", MUG | {"active": False})

    assert (made.status_code, again.status_code, changed.status_code) == (201, 200, 200)
    assert made.headers["location"] == "/v1/products/MUG"
    assert [one.headers["etag"] for one in (made, found, again, changed)] == [
        '"1"',
        '"1"',
        '"1"',
        '"2"',
    ]
    assert made.json() == found.json() == again.json()
    assert made.json() == {
        "sku": "MUG",
        **MUG,
        "active": True,
        "created_at": made.json()["created_at"],
        "updated_at": made.json()["updated_at"],
    }
    assert changed.json()["active"] is False


async def test_a_sku_of_any_printable_characters_has_an_address(
    client: httpx2.AsyncClient,
) -> None:
    made = await put(client, "T%20SHIRT%20%C3%A9%2B%3F%23", MUG)

    assert made.status_code == 201
    assert made.json()["sku"] == "T SHIRT é+?#"
    assert (await client.get(made.headers["location"])).json() == made.json()


@SQLITE
@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"1"', 200), ("*", 200), ('"9", "1"', 200), ('"2"', 412), ('W/"1"', 412), ("1", 412)],
)
async def test_if_match_is_checked_when_it_is_sent(
    client: httpx2.AsyncClient, if_match: str, status: int
) -> None:
    await put(client, "MUG", MUG)

    changed = await client.put(
        "/v1/products/MUG", json=MUG | {"title": "Pot"}, headers={"If-Match": if_match}
    )
    absent = await client.put("/v1/products/NEW", json=MUG, headers={"If-Match": if_match})

    assert changed.status_code == status
    assert absent.status_code == 412
    assert absent.json()["code"] == "precondition_failed"


@SQLITE
@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"unit_price": {"amount": "4.255", "currency": "GBP"}}, "/unit_price", "amount_precision"),
        ({"unit_price": {"amount": "4.25", "currency": "XYZ"}}, "/unit_price", "unknown_currency"),
        ({"unit_price": {"amount": 4.25, "currency": "GBP"}}, "/unit_price/amount", "string_type"),
        ({"title": ""}, "/title", "string_too_short"),
        ({"title": "a\u0000b"}, "/title", "control_character"),
        ({"active": "yes"}, "/active", "bool_type"),
        ({"colour": "red"}, "/colour", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_with_a_product_is_pointed_at(
    client: httpx2.AsyncClient, change: dict[str, Any], pointer: str, code: str
) -> None:
    refused = await put(client, "MUG", MUG | change)

    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


async def test_a_list_of_products_is_by_sku(client: httpx2.AsyncClient) -> None:
    for sku in ("MUG", "CUP", "JUG"):
        await put(client, sku, MUG)

    first = (await client.get("/v1/products?limit=2")).json()
    rest = (await client.get(f"/v1/products?limit=2&cursor={first['next_cursor']}")).json()

    assert [one["sku"] for one in first["items"] + rest["items"]] == ["CUP", "JUG", "MUG"]
    assert rest["next_cursor"] is None


@SQLITE
async def test_what_the_client_has_is_not_sent_again(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)

    async def got(if_none_match: str) -> int:
        answer = await client.get("/v1/products/MUG", headers={"If-None-Match": if_none_match})
        assert answer.headers["etag"] == '"1"'
        return answer.status_code

    assert [await got(tags) for tags in ('"1"', 'W/"1"', "*", '"7", "1"')] == [304] * 4
    assert [await got(tags) for tags in ('"2"', "1", '"01"')] == [200] * 3


@SQLITE
async def test_a_product_can_be_asked_for_as_new(client: httpx2.AsyncClient) -> None:
    client.headers["If-None-Match"] = "*"

    made = await put(client, "MUG", MUG)
    again = await put(client, "MUG", MUG | {"title": "Pot"})

    assert (made.status_code, again.status_code) == (201, 412)
    client.headers.pop("If-None-Match")
    assert (await client.get("/v1/products/MUG")).json()["title"] == "Mug"
