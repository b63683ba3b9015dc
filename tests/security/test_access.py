"""Who gets in where, and what is told to whom: every operation, every wrong credential."""

import ast
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import update
from starlette.routing import Mount

import app
import app.web
from app.bus.sql import later
from app.db import Database
from app.main import create_app
from app.modules.orders.models.life import OrderStatus
from app.web import keys, sessions
from app.web.keys import KeyDraft
from app.web.principal import FOR_CUSTOMERS, SCOPES, Principal
from tests.bus.given_up import dump
from tests.orders.rest import MUG, SQLITE, application, client_of, placed_at, put
from tests.security import surface
from tests.security.conftest import KEY
from tests.security.surface import Operation, sample, send
from tests.web.sample import settings

OPERATIONS = surface.operations()
GUARDED = [one for one in OPERATIONS if one.scope is not None]
OPEN_TO_ALL = {"GET /health/live", "GET /health/ready"}

# What is served and in no description of the API: pages, and what they load.
PAGES = {
    *("/", "/docs", "/docs/start.js", "/docs/page.css", "/openapi.json"),
    *("/asyncapi", "/asyncapi.json", "/problems", "/problems/{code}", "/console"),
}
MOUNTED = {"/docs/assets", "/console"}


@pytest.fixture
async def admin(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect with every right to an application with a product, stock and an order."""
    app = application(database, api_key=KEY)
    async with client_of(app, authorization=f"Bearer {KEY}") as client:
        assert (await put(client, "MUG", MUG)).status_code == 201
        lines = [{"sku": "MUG", "quantity": 40}]
        received = await client.post("/v1/inventory/receipts", json={"lines": lines})
        assert received.status_code == 201
        yield client


@pytest.fixture
async def stranger(admin: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect to the same application without a key."""
    async with httpx2.AsyncClient(
        transport=admin._transport, base_url="http://localhost:8000"
    ) as client:
        yield client


async def key(database: Database, *scopes: str, customer: str | None = None) -> tuple[str, str]:
    """Make a key and return its secret and its id."""
    draft = KeyDraft(name="test", scopes=frozenset(scopes), customer_id=customer)
    async with database.write() as session:
        issued = await keys.create(session, draft, by="test")
    return issued.secret, issued.key.id


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_what_is_served_is_described_or_a_page() -> None:
    described = {one.path for one in OPERATIONS}
    served = create_app(settings(api_key=KEY))
    mounted = {one.path for one in served.routes if isinstance(one, Mount)}
    paths = {one.path for one in iter_route_contexts(served.routes) if one.path}

    assert mounted == MOUNTED
    assert paths - described - mounted == PAGES - mounted
    assert {str(one) for one in OPERATIONS if one.scope is None} == OPEN_TO_ALL


@SQLITE
async def test_no_wrong_credential_opens_any_operation(
    stranger: httpx2.AsyncClient, database: Database
) -> None:
    expired, expired_id = await key(database, "*")
    revoked, revoked_id = await key(database, "*")
    rotated, rotated_id = await key(database, "*")
    good, _ = await key(database, "*")
    row = keys.api_keys.c
    async with database.write() as session:
        await session.execute(
            update(keys.api_keys).where(row.id == expired_id).values(expires_at=later(-1))
        )
        await keys.revoke(session, revoked_id)
        await keys.rotate(session, rotated_id, overlap_s=0)
    token = await sessions.begin(database, Principal(name="key", scopes=frozenset({"*"})), KEY)
    wrong: dict[str, list[tuple[str, str]]] = {
        "none": [],
        "made up": [("authorization", "Bearer made-up-of-enough-letters")],
        "expired": [("authorization", f"Bearer {expired}")],
        "revoked": [("authorization", f"Bearer {revoked}")],
        "rotated": [("authorization", f"Bearer {rotated}")],
        "a digest": [("authorization", f"Bearer {keys.digest(good)}")],
        "of another's id": [("authorization", f"Bearer {good[:-4]}AAAA")],
        "an id": [("authorization", f"Bearer {expired_id}")],
        "twice": [("authorization", f"Bearer {good}")] * 2,
        "basic": [("authorization", "Basic " + base64.b64encode(f"x:{KEY}".encode()).decode())],
        "a cookie": [("cookie", f"{sessions.COOKIE}={token}; key={KEY}; authorization={KEY}")],
        "a cookie's token": [("authorization", f"Bearer {token}")],
        "other headers": [("x-api-key", KEY), ("proxy-authorization", f"Bearer {KEY}")],
        "an unsigned token": [("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzY29wZSI6IioifQ.")],
        "trusted by a proxy": [("x-forwarded-user", "admin"), ("remote-user", "admin")],
    }
    before = await dump(database)
    let_in = []
    for operation in GUARDED:
        for name, headers in wrong.items():
            answer = await send(stranger, operation, headers=headers)
            if answer.status_code != 401 or "www-authenticate" not in answer.headers:
                let_in.append(f"{operation}: {name}: {answer.status_code}")
        answer = await send(stranger, operation, query={"api_key": KEY, "access_token": good})
        assert answer.status_code in {401, 422}, str(operation)

    assert not let_in
    assert await dump(database) == before
    assert (await send(stranger, GUARDED[-2], headers=bearer(good))).status_code != 401


@SQLITE
async def test_without_a_key_nothing_but_health_is_served_under_another_name(
    database: Database,
) -> None:
    """A page of another site that had its name resolved to this machine reaches nothing."""
    app = application(database)
    before = await dump(database)
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1"):
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url=f"http://{host}"
        ) as rebound:
            for operation in OPERATIONS:
                answer = await send(rebound, operation)
                open_ = str(operation) in OPEN_TO_ALL
                assert (answer.status_code != 421) is open_, f"{operation} {host}"
            for path in PAGES | {"/docs/assets/swagger-ui.css", "/console/sign-in", "/nothing"}:
                assert (await rebound.get(path)).status_code == 421, path
    assert await dump(database) == before


@SQLITE
async def test_a_key_without_the_scope_is_told_which(
    stranger: httpx2.AsyncClient, database: Database
) -> None:
    holders: dict[str, dict[str, str]] = {}
    for scope in SCOPES:
        others = set(SCOPES) - {scope} - ({"ops"} if scope == "ops:read" else set())
        holders[scope] = bearer((await key(database, *others))[0])
    for headers in holders.values():  # so that their use is noted before
        await stranger.get("/v1/products", headers=headers)
    before = await dump(database)

    for operation in GUARDED:
        assert operation.scope is not None
        answer = await send(stranger, operation, headers=holders[operation.scope])
        assert answer.status_code == 403, str(operation)
        if not operation.is_endless:
            assert answer.json()["required_scopes"] == [operation.scope], str(operation)
    assert await dump(database) == before


@SQLITE
async def test_no_answer_holds_a_secret_but_the_one_that_makes_it(
    admin: httpx2.AsyncClient, database: Database
) -> None:
    made = await admin.post("/v1/api-keys", json={"name": "shop", "scopes": ["*"]})
    turned = await admin.post(f"/v1/api-keys/{made.json()['id']}/rotate", json={"overlap_s": 60})
    secrets = [made.json()["secret"], turned.json()["secret"]]
    who = Principal(name="key", scopes=frozenset({"*"}))
    token = await sessions.begin(database, who, KEY)
    assert token is not None
    hidden = [*secrets, token, KEY]
    hidden += [keys.digest(one) for one in hidden]
    assert made.headers["cache-control"] == turned.headers["cache-control"] == "no-store"
    order_id = await placed_at(admin, database)
    ids = {"order_id": order_id, "sku": "MUG", "key_id": made.json()["id"]}

    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        for query in ({"sku": "MUG"}, {}):
            answer = await send(admin, operation, path=ids, query=query)
            told = answer.text + str(answer.headers)
            assert not [one for one in hidden if one in told], str(operation)
            assert '"hash"' not in told, str(operation)
    for page in ("/console", "/console/audit", "/console/sign-in", "/docs", "/asyncapi"):
        text = (await admin.get(page)).text
        assert not [one for one in hidden if one in text], page


@SQLITE
async def test_a_key_of_one_principal_repeats_nothing_to_another(
    admin: httpx2.AsyncClient, stranger: httpx2.AsyncClient, database: Database
) -> None:
    keyed = [
        one for one in OPERATIONS if any(each.name == "Idempotency-Key" for each in one.parameters)
    ]
    [first, second] = [(await key(database, "*"))[0] for _ in range(2)]
    repeated = []
    for number, operation in enumerate(keyed):
        headers = {"idempotency-key": f"one-{number}"}
        order_id = await placed_at(admin, database, OrderStatus.RESERVED)
        _, key_id = await key(database, "orders:read")
        ids = {"order_id": order_id, "key_id": key_id}
        body = _modest(sample(operation.body or {}))
        mine = [
            await send(stranger, operation, path=ids, body=body, headers=headers | bearer(first))
            for _ in range(2)
        ]
        if mine[0].is_success:
            assert mine[1].headers["idempotency-replayed"] == "true", str(operation)
            repeated.append(operation.path)
        theirs = await send(
            stranger, operation, path=ids, body=body, headers=headers | bearer(second)
        )
        assert "idempotency-replayed" not in theirs.headers, str(operation)
        if theirs.is_success and operation.path in {"/v1/orders", "/v1/api-keys"}:
            assert theirs.json()["id"] != mine[0].json()["id"]

    assert {"/v1/orders", "/v1/api-keys", "/v1/inventory/receipts"} <= set(repeated)
    assert len(repeated) >= 6


def _modest(body: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what the application of the tests can grant: references are unique, holds end."""
    if isinstance(body, dict):
        unwanted = {"reference", "expected_unit_price", "hold_seconds", "customer_id"}
        kept = {name: _modest(value) for name, value in body.items() if name not in unwanted}
        return kept | ({"customer_id": "c-1"} if "lines" in body and "confirm" in body else {})
    return [_modest(one) for one in body] if isinstance(body, list) else body


@SQLITE
async def test_a_place_in_one_list_is_no_way_into_another(
    admin: httpx2.AsyncClient, stranger: httpx2.AsyncClient, database: Database
) -> None:
    for number in range(3):
        await put(admin, f"CUP-{number}", MUG)
        for customer in ("c-1", "c-2"):
            lines = [{"sku": "MUG", "quantity": 1}]
            order = {"customer_id": customer, "reference": f"{customer}-{number}", "lines": lines}
            assert (await admin.post("/v1/orders", json=order)).status_code == 201
    theirs = bearer((await key(database, *FOR_CUSTOMERS, customer="c-2"))[0])
    lists = [one for one in OPERATIONS if any(each.name == "cursor" for each in one.parameters)]
    cursors = {}
    for operation in lists:
        page = await send(admin, operation, query={"limit": "1"})
        if page.is_success and page.json().get("next_cursor"):
            cursors[str(operation)] = page.json()["next_cursor"]
    assert len(cursors) >= 3

    refused = 0
    for operation in lists:
        for name, cursor in cursors.items():
            for forged in _forged(cursor) if name == str(operation) else [cursor]:
                answer = await send(admin, operation, query={"cursor": forged})
                assert answer.status_code in {404, 422}, f"{operation} {forged}"
                refused += answer.status_code == 422
    assert refused > 100
    # The administrator's place in all orders is a customer's place in none of another's.
    listing = next(one for one in lists if one.path == "/v1/orders")
    answer = await send(stranger, listing, query={"cursor": cursors[str(listing)]}, headers=theirs)
    assert answer.status_code == 422 or {one["customer_id"] for one in answer.json()["items"]} <= {
        "c-2"
    }
    assert "c-1" not in answer.text


def _forged(cursor: str) -> list[str]:
    """Return what is nearly a cursor."""
    bound_to, *parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))

    def encode(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    keys_: list[object] = [
        *([], {}, None, 0, [bound_to], [None, *parts], ["x" * 16, *parts]),
        *([bound_to, *parts, "x"], [bound_to, *parts, 1], [bound_to, *parts, None]),
    ]
    odd: list[object] = [None, [], {}, True, 1.5, 2**70, "\ud800", "a\0b"]
    keys_ += [[bound_to, *([one] * len(parts))] for one in odd]
    plain = [cursor[:-3], "x" + cursor, cursor[::-1], cursor + "!", "", " ", "null", "." * 3000]
    return [*plain, *map(encode, keys_)]


def test_secrets_are_compared_in_constant_time_or_looked_up_by_their_digest() -> None:
    """No `==` and no `in` on what is secret, wherever requests are let in."""
    secret = {"secret", "token", "digest", "hash", "key_secret", "previous_hash", "old_digest"}
    found = []
    for file in sorted(Path(app.web.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Compare):
                continue
            plain = [op for op in node.ops if isinstance(op, ast.Eq | ast.NotEq | ast.In)]
            sides = [node.left, *node.comparators]
            names = {getattr(side, "attr", getattr(side, "id", None)) for side in sides} & secret
            # In SQL it is the digest of 256 random bits that is looked up, by an index.
            in_sql = any(
                "table" in ast.unparse(side) or ".c." in ast.unparse(side) for side in sides
            )
            if plain and names and not in_sql:
                found.append(f"{file.name}:{node.lineno}: {ast.unparse(node)}")

    assert not found


def test_nothing_but_the_command_line_fetches_anything() -> None:
    """No address that a client names is ever asked: there is nothing in the server to ask with."""
    clients = {"httpx2", "httpx", "requests", "aiohttp", "urllib3", "urllib.request", "http.client"}
    app_ = Path(app.__path__[0])
    found = set()
    for file in sorted(app_.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {one.name for one in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {node.module or "", *(f"{node.module}.{one.name}" for one in node.names)}
            if clients & names:
                found.add(file.relative_to(app_).parts[0])

    assert found == {"cli"}


def test_an_operation_stands_for_itself() -> None:
    """The generator sees what is there: a place, its values and its scope."""
    order = next(one for one in OPERATIONS if str(one) == "POST /v1/orders")

    assert isinstance(order, Operation)
    assert order.scope == "orders:write"
    assert sample(order.body or {})["lines"][0]["sku"] == "MUG"
    assert len(OPERATIONS) > 60
