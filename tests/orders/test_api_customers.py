"""Keys that are bound to a customer: its orders, and nobody else's."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from app.db import Database
from app.web import keys
from app.web.keys import KeyDraft
from tests.orders.rest import MUG, SQLITE, application, client_of, order_of, post, put

pytestmark = SQLITE

SCOPES = frozenset({"orders:read", "orders:write", "products:read"})


@pytest.fixture
async def key(client: httpx2.AsyncClient, database: Database) -> str:
    """Make products and an order of each of two customers, and return the key of the one."""
    await put(client, "MUG", MUG)
    for customer in ("c-1", "c-2"):
        made = await post(client, ("MUG", 1), customer_id=customer, reference=f"of {customer}")
        assert made.status_code == 201
    draft = KeyDraft(name="shop", scopes=SCOPES, customer_id="c-1")
    async with database.write() as session:
        return (await keys.create(session, draft, by="test")).secret


@pytest.fixture
async def customer(database: Database, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect as the customer c-1, to a process that has not yet been open to everybody."""
    app = application(database)
    async with client_of(app, Authorization=f"Bearer {key}") as connected:
        yield connected


async def test_a_customer_finds_its_own_orders(customer: httpx2.AsyncClient) -> None:
    async def found(query: str = "") -> list[str]:
        items = (await customer.get(f"/v1/orders{query}")).json()["items"]
        return [order["reference"] for order in items]

    assert await found() == await found("?customer_id=c-1") == ["of c-1"]
    assert await found("?customer_id=c-2") == await found("?reference=of c-2") == []


async def test_a_customer_places_its_own_orders(customer: httpx2.AsyncClient) -> None:
    own = await post(customer, ("MUG", 1), reference="mine")
    other = await post(customer, ("MUG", 1), customer_id="c-2")
    batch = {"orders": [order_of(("MUG", 1)), order_of(("MUG", 1), customer_id="c-2")]}
    mixed = await customer.post("/v1/orders/batch", json=batch)

    assert own.status_code == 201
    for refused in (other, mixed):
        assert (refused.status_code, refused.json()["code"]) == (403, "not_for_customers")
    assert len((await customer.get("/v1/orders")).json()["items"]) == 2


async def test_a_reference_of_another_customer_does_not_give_its_order_away(
    customer: httpx2.AsyncClient,
) -> None:
    own = await post(customer, ("MUG", 1), reference="of c-1")
    foreign = await post(customer, ("MUG", 1), reference="of c-2")
    batch = {"orders": [order_of(("MUG", 1), reference="of c-2")]}
    [listed] = (await customer.post("/v1/orders/batch", json=batch)).json()["results"]

    assert own.json()["existing_id"].startswith("ord_")
    for problem in (foreign.json(), listed["problem"]):
        assert (problem["status"], problem["code"]) == (409, "duplicate_reference")
        assert "existing_id" not in problem
        assert "ord_" not in problem["detail"]


async def test_the_timeline_says_who_it_was(
    customer: httpx2.AsyncClient, database: Database
) -> None:
    made = await post(customer, ("MUG", 1))
    await customer.post(f"{made.headers['location']}/cancel")

    entries = (await customer.get(f"{made.headers['location']}/timeline")).json()["items"]

    async with database.read() as session:
        [key] = await keys.list_keys(session, before=None, limit=2)
    assert [entry["actor"] for entry in entries] == [key.id] * 2
