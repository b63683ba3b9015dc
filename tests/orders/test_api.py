"""The REST API of orders, in front of every database."""

from typing import Any

import httpx2
import pytest

from app.db import Database
from app.modules.orders.events import Shortage
from app.modules.orders.service.settle import Verdict, settle
from tests.orders.sample import published

MUG = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
CUP = {"title": "Cup", "unit_price": {"amount": "1.99", "currency": "GBP"}}


async def put(client: httpx2.AsyncClient, sku: str, body: dict[str, Any]) -> httpx2.Response:
    return await client.put(f"/v1/products/{sku}", json=body)


async def post(client: httpx2.AsyncClient, *lines: tuple[str, int], **more: Any) -> httpx2.Response:  # noqa: ANN401 - further members
    asked = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return await client.post("/v1/orders", json={"customer_id": "c-1", "lines": asked, **more})


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


async def test_an_order_is_placed_and_found(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    await put(client, "CUP", CUP)

    made = await post(client, ("MUG", 2), ("CUP", 1), ("MUG", 1), reference="WEB-1")
    found = await client.get(made.headers["location"])

    assert made.status_code == 201
    assert made.headers["etag"] == found.headers["etag"] == '"1"'
    order = made.json()
    assert found.json() == order
    assert order == {
        "id": order["id"],
        "reference": "WEB-1",
        "status": "pending",
        "customer_id": "c-1",
        "total": {"amount": "14.74", "currency": "GBP"},
        "lines": [
            {
                "sku": "MUG",
                "title": "Mug",
                "quantity": 3,
                "unit_price": {"amount": "4.25", "currency": "GBP"},
                "total": {"amount": "12.75", "currency": "GBP"},
            },
            {
                "sku": "CUP",
                "title": "Cup",
                "quantity": 1,
                "unit_price": {"amount": "1.99", "currency": "GBP"},
                "total": {"amount": "1.99", "currency": "GBP"},
            },
        ],
        "shortages": [],
        "created_at": order["created_at"],
        "updated_at": order["created_at"],
    }
    assert made.headers["location"] == f"/v1/orders/{order['id']}"


async def test_a_rejected_order_shows_every_short_line(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    order_id = (await post(client, ("MUG", 2))).json()["id"]
    [created] = await published(database)
    short = Shortage(sku="MUG", requested=2, available=1)

    async with database.write() as session:
        await settle(session, [Verdict(order_id=order_id, cause=created, shortages=(short,))])

    found = await client.get(f"/v1/orders/{order_id}")
    assert found.headers["etag"] == '"2"'
    assert found.json()["status"] == "rejected"
    assert found.json()["shortages"] == [{"sku": "MUG", "requested": 2, "available": 1}]


async def test_an_idempotency_key_makes_one_order_of_two_posts(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await put(client, "MUG", MUG)
    client.headers["Idempotency-Key"] = "k-1"

    first = await post(client, ("MUG", 2))
    second = await post(client, ("MUG", 2))
    other = await post(client, ("MUG", 3))

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(await published(database)) == 1


async def test_refusals_of_an_order(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    await put(client, "OLD", MUG | {"active": False})
    await put(client, "HAT", {"title": "Hat", "unit_price": {"amount": "1", "currency": "JPY"}})
    first = (await post(client, ("MUG", 1), reference="WEB-1")).json()

    unknown = await post(client, ("MUG", 1), ("NOPE", 1), ("NADA", 1))
    inactive = await post(client, ("OLD", 1))
    mixed = await post(client, ("MUG", 1), ("HAT", 1))
    twice = await post(client, ("MUG", 1), reference="WEB-1")

    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_sku")
    assert unknown.json()["skus"] == ["NOPE", "NADA"]
    assert (inactive.status_code, inactive.json()["code"]) == (422, "inactive_product")
    assert (mixed.status_code, mixed.json()["code"]) == (422, "currency_mixed")
    assert (twice.status_code, twice.json()["code"]) == (409, "duplicate_reference")
    assert twice.json()["existing_id"] == first["id"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": "2"}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1.5}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "price": 1}]}, "/lines/0/price"),
        ({"lines": [{"sku": "A/B", "quantity": 1}]}, "/lines/0/sku"),
        ({"lines": [{"sku": "MUG", "quantity": 1}] * 1001}, "/lines"),
        ({"customer_id": ""}, "/customer_id"),
        ({"customer_id": None}, "/customer_id"),
        ({"reference": ""}, "/reference"),
        ({"status": "confirmed"}, "/status"),
    ],
)
async def test_what_is_wrong_with_an_order_is_pointed_at(
    client: httpx2.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    body = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 1}]}

    refused = await client.post("/v1/orders", json=body | change)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


async def test_what_is_not_there_is_not_found(client: httpx2.AsyncClient) -> None:
    for path in ("/v1/orders/ord_0", "/v1/products/NOPE"):
        missing = await client.get(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_list_of_orders_is_newest_first_and_filtered(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    made = [
        (await post(client, ("MUG", 1), customer_id=f"c-{number % 2}", reference=f"R-{number}"))
        for number in range(5)
    ]
    ids = [one.json()["id"] for one in made]

    first = (await client.get("/v1/orders", params={"limit": 2})).json()
    rest = (
        await client.get("/v1/orders", params={"limit": 50, "cursor": first["next_cursor"]})
    ).json()
    odd = (await client.get("/v1/orders?status=pending&customer_id=c-1")).json()
    one = (await client.get("/v1/orders?reference=R-3")).json()
    none = (await client.get("/v1/orders?status=confirmed")).json()

    assert [order["id"] for order in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert [order["id"] for order in odd["items"]] == [ids[3], ids[1]]
    assert [order["id"] for order in one["items"]] == [ids[3]]
    assert none == {"items": [], "next_cursor": None}
    shown = made[3].json()
    assert one["items"] == [{key: shown[key] for key in one["items"][0]}]


async def test_a_list_refuses_what_it_does_not_know(client: httpx2.AsyncClient) -> None:
    for query in ("status=shipped", "state=pending", "limit=0", "cursor=nonsense"):
        refused = await client.get(f"/v1/orders?{query}")
        assert refused.status_code == 422


async def test_a_list_of_products_is_by_sku(client: httpx2.AsyncClient) -> None:
    for sku in ("MUG", "CUP", "JUG"):
        await put(client, sku, MUG)

    first = (await client.get("/v1/products?limit=2")).json()
    rest = (await client.get(f"/v1/products?limit=2&cursor={first['next_cursor']}")).json()

    assert [one["sku"] for one in first["items"] + rest["items"]] == ["CUP", "JUG", "MUG"]
    assert rest["next_cursor"] is None
