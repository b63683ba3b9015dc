"""Every route of the whole application, and every scope: who may come in is a table."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app import db
from app.db import Database
from app.main import create_app
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.service.cancel import cancel
from app.web import keys
from app.web.auth import Require, requirements
from app.web.keys import KeyDraft
from app.web.principal import FOR_CUSTOMERS, SCOPES
from tests.bus.given_up import dump
from tests.orders.sample import (
    CLERK,
    answer as answer_with,
    catalogue,
    fulfilling,
    standing_at,
    unfulfilling,
    voided,
)
from tests.web.sample import Process, problem_of, settings, whole

OURS = "a-key-of-enough-letters"

PUBLIC = re.compile(r"/|/health/.*|/docs.*|/openapi\.json|/asyncapi.*|/problems.*")

# The first line that fits tells the scope: of reading, and of changing.
EXPECTED = [
    (r"/v1/api-keys.*", "keys", "keys"),
    (r"/v1/ops/.*", "ops:read", "ops"),
    (r"/metrics", "ops:read", None),
    (r"/v1/(events|event-types).*", "events:read", None),
    (r"/v1/orders/\{order_id\}/fulfillments.*", "orders:read", "orders:fulfill"),
    (r"/v1/orders.*", "orders:read", "orders:write"),
    (r"/v1/products.*", "products:read", "products:write"),
    (r"/v1/inventory/.*", "inventory:read", "inventory:write"),
]

# Below these every route is named above.
_OURS = r"/v1/(orders|products|inventory|events|event-types|api-keys|ops)\b|(?!/v1/)"

IMPLIES = {"ops": ["ops:read"]}

# What customers may see besides their own orders and the products: not whose stock it is.
FOR_EVERY_CUSTOMER = {"/v1/inventory/availability"}


@dataclass(frozen=True)
class Operation:
    """A method of a path, and what it requires."""

    method: str
    path: str
    requires: tuple[Require, ...]

    @property
    def scope(self) -> str | None:
        """The scope it should require; None where everybody may come in."""
        if PUBLIC.fullmatch(self.path):
            return None
        for pattern, reading, changing in EXPECTED:
            if re.fullmatch(pattern, self.path):
                return reading if self.method == "GET" else changing
        if self.requires and not re.match(_OURS, self.path):
            # Of a module that was added: any scope is its own affair, and none is not.
            return self.requires[-1].scope
        pytest.fail(f"{self} is new: say above which scope it should ask for")

    @property
    def for_customers(self) -> bool:
        """Whether a customer's key may come in."""
        return all(one.customers for one in self.requires)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations(app: FastAPI) -> Iterator[Operation]:
    for route in iter_route_contexts(app.routes):
        methods = (route.methods or set()) - {"HEAD"}
        if methods and route.path:
            found = tuple(requirements(route.dependant)) if hasattr(route, "dependant") else ()
            for method in sorted(methods):
                yield Operation(method, route.path, found)


def application() -> FastAPI:
    return create_app(settings(api_key=OURS))


ALL = list(operations(application()))
GUARDED = [one for one in ALL if one.scope is not None]


@pytest.fixture
def database(sqlite_template: Path) -> Iterator[Database]:
    """Give the schema as migrated, on SQLite: the web is the same in front of every database."""
    file = sqlite_template.with_name("routes.db")
    file.write_bytes(sqlite_template.read_bytes())
    yield db.sqlite(file)
    file.unlink()


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect without a key to the whole application, which has one; no loop runs."""
    process = Process(settings=settings(api_key=OURS), database=database)
    transport = httpx2.ASGITransport(app=whole(process, api_key=OURS))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened
    await database.close()


async def key(database: Database, *scopes: str, customer: str | None = None) -> dict[str, str]:
    """Make a key, and return the headers that carry it."""
    draft = KeyDraft(name="test", scopes=frozenset(scopes), customer_id=customer)
    async with database.write() as session:
        issued = await keys.create(session, draft, by="test")
    return {"authorization": f"Bearer {issued.secret}"}


async def send(
    client: httpx2.AsyncClient, operation: Operation, headers: dict[str, str], **ids: str
) -> httpx2.Response:
    """Ask for an operation with these ids in its path, or made-up ones."""
    path = re.sub(r"\{(\w+?)(:\w+)?\}", lambda name: ids.get(name[1], "x"), operation.path)
    body: dict[str, str] | None = None if operation.method in {"GET", "DELETE"} else {}
    with anyio.fail_after(10):  # a stream that does not end
        return await client.request(operation.method, path, json=body, headers=headers)


@pytest.mark.parametrize("operation", ALL, ids=str)
def test_every_route_asks_for_the_scope_it_should(operation: Operation) -> None:
    expected = [] if operation.scope is None else [operation.scope]

    assert [one.scope for one in operation.requires] == expected


def test_scopes_and_routes_are_made_for_each_other() -> None:
    assert {one.scope for one in GUARDED} == set(SCOPES)
    orders = [one for one in ALL if one.path.startswith("/v1/orders/{")]
    assert all(one.path.startswith("/v1/orders/{order_id}") for one in orders)


async def test_every_route_lets_in_who_holds_its_scope_and_nobody_else(
    client: httpx2.AsyncClient, database: Database
) -> None:
    holders = {scope: await key(database, scope) for scope in SCOPES}
    customer = await key(database, *FOR_CUSTOMERS, customer="c-1")
    everybody = [{"authorization": f"Bearer {OURS}"}, await key(database, "*")]
    wrong = {"authorization": "Bearer nonsense"}

    for operation in GUARDED:
        for headers in ({}, wrong):
            refused = await send(client, operation, headers)
            assert (refused.status_code, str(operation)) == (401, str(operation))
        for scope, headers in holders.items():
            answer = await send(client, operation, headers)
            if operation.scope not in {scope, *IMPLIES.get(scope, ())}:
                assert answer.status_code == 403, (str(operation), scope)
                assert problem_of(answer)["required_scopes"] == [operation.scope]
            else:
                assert answer.status_code not in {401, 403}, (str(operation), answer.text)
        for headers in everybody:
            answer = await send(client, operation, headers)
            assert answer.status_code not in {401, 403}, (str(operation), answer.text)
        answer = await send(client, operation, customer)
        welcome = operation.scope in FOR_CUSTOMERS and operation.for_customers
        assert (answer.status_code != 403) is welcome, (str(operation), answer.text)


def test_a_customer_may_enter_what_shows_nothing_of_others() -> None:
    entered = {one.path for one in GUARDED if one.scope in FOR_CUSTOMERS and one.for_customers}

    own = re.compile(r"/v1/(orders|products).*")
    assert {path for path in entered if not own.fullmatch(path)} == FOR_EVERY_CUSTOMER & {
        one.path for one in ALL
    }


async def test_an_order_of_another_customer_is_not_there(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await catalogue(database, MUG=425)
    order_id = await standing_at(database, OrderStatus.CONFIRMED)
    made = await fulfilling(database, order_id, ("MUG", 1))
    ids = {"order_id": order_id, "fulfillment_id": made.id}
    owner = await key(database, *FOR_CUSTOMERS, customer="c-1")
    stranger = await key(database, *FOR_CUSTOMERS, customer="c-2")
    for headers in (owner, stranger):  # so that their use is noted before
        await client.get("/v1/products", headers=headers)
    before = await dump(database)
    about_one = [one for one in GUARDED if "{order_id}" in one.path]

    for operation in about_one:
        answer = await send(client, operation, stranger, **ids)
        allowed = operation.scope in FOR_CUSTOMERS and operation.for_customers
        assert answer.status_code == (404 if allowed else 403), (str(operation), answer.text)
    about_many = [one for one in GUARDED if one.method == "GET" and one not in about_one]
    for operation in about_many:
        answer = await send(client, operation, stranger)
        assert not re.search(rf'{order_id}|{made.id}|"c-1"', answer.text), str(operation)

    assert await dump(database) == before
    # Its own customer finds it at the same paths; it is over, so that no stream of it stays open.
    await unfulfilling(database, order_id, made.id)
    await answer_with(database, voided(order_id, made.id))
    async with database.write() as session:
        await cancel(session, order_id, CLERK, reason="test")
    for operation in about_one:
        if operation.scope in FOR_CUSTOMERS and operation.for_customers:
            answer = await send(client, operation, owner, **ids)
            assert answer.status_code != 404, (str(operation), answer.text)
    listed = [(await send(client, operation, owner)).text for operation in about_many]
    assert any(order_id in text for text in listed)
