"""Text that would be something else, wherever text is taken, on both kinds of database."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest
from structlog.testing import capture_logs

from app.db import Database
from tests.bus.given_up import dump
from tests.orders.rest import CUP, MUG, application, client_of, put
from tests.security import surface
from tests.security.conftest import KEY
from tests.security.surface import Operation, send

OPERATIONS = surface.operations()

SQL = (
    "' OR '1'='1",
    "'; DROP TABLE orders; --",
    "' UNION SELECT hash FROM api_keys --",
    "%",
    "_UG",
    "$1 :1 ? %s {0}",
)
ODD = (
    "\0",
    "a\r\nSet-Cookie: x=1",
    "\u202egnp.exe",
    "e\u0301",
    "../../../etc/passwd",
    "{{7*7}}${7*7}<%=7*7%>",
    "=cmd|' /C calc'!A0",
    "A" * 4000,
    "\x1b]0;owned\x07\x1b[2J",
)
# What chooses among things; of these nothing is called as an injection is.
SELECTS_ALL = {"limit", "cursor", "after"}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect with every right to an application with something in each list."""
    app = application(database, api_key=KEY)
    with capture_logs() as lines:
        async with client_of(app, authorization=f"Bearer {KEY}") as opened:
            for sku, body in (("MUG", MUG), ("CUP", CUP)):
                assert (await put(opened, sku, body)).status_code == 201
            lines_ = [{"sku": "MUG", "quantity": 40}, {"sku": "CUP", "quantity": 4}]
            for path, sent in (
                ("/v1/inventory/receipts", {"lines": lines_}),
                ("/v1/orders", {"customer_id": "c-1", "reference": "WEB-1", "lines": lines_}),
                ("/v1/ops/subscribers/none/pause", {"reason": "x"}),
            ):
                await opened.post(path, json=sent)
            yield opened
    assert not [line for line in lines if line["log_level"] in {"error", "critical"}]


def texts(operation: Operation) -> list[str]:
    """Return the query parameters of an operation that choose by a text."""
    return [
        one.name
        for one in operation.of("query")
        if one.name not in SELECTS_ALL
        and surface.whole(one.schema.get("items", one.schema)).get("type") == "string"
    ]


async def test_no_filter_is_more_than_a_value(
    client: httpx2.AsyncClient, database: Database
) -> None:
    lists = [one for one in OPERATIONS if one.method == "GET" and texts(one)]
    assert len(lists) >= 8
    before = await dump(database)
    for operation in lists:
        for name in texts(operation):
            for value in (*SQL, *ODD):
                needed = {} if name == "sku" else {"sku": "MUG"}
                query = (needed if operation.path.endswith("/availability") else {}) | {name: value}
                answer = await send(client, operation, query=query)
                assert answer.status_code in {200, 404, 422}, f"{operation} {name}={value!r}"
                if answer.status_code == 200:
                    told = answer.json()
                    found = [
                        one for each in told.values() if isinstance(each, list) for one in each
                    ]
                    # Of what could be ordered, the question comes back with nothing behind it.
                    real = [one for one in found if one.get("available", 1) != 0]
                    assert real == [], f"{operation} {name}={value!r}"
    assert await dump(database) == before


async def test_no_name_in_a_path_is_more_than_a_name(
    client: httpx2.AsyncClient, database: Database
) -> None:
    before = await dump(database)
    for operation in OPERATIONS:
        for one in operation.of("path"):
            for value in (*SQL, *ODD):
                if operation.method == "PUT":
                    continue  # makes what it names, which the next test looks at
                escaped = {one.name: quote(value, safe="", errors="surrogatepass")}
                answer = await send(client, operation, path=escaped)
                assert answer.status_code in {200, 404, 405, 409, 422}, f"{operation} {value!r}"
                assert "set-cookie" not in answer.headers
                if answer.status_code == 200:
                    assert operation.path.endswith(("/availability", "/verify", "/timeline"))
    assert await dump(database) == before


async def test_what_is_kept_comes_back_letter_by_letter(client: httpx2.AsyncClient) -> None:
    kept = 0
    for number, value in enumerate((*SQL, *ODD)):
        put_ = await put(client, f"SKU-{number}", MUG | {"title": value})
        if put_.status_code == 201:
            found = (await client.get(f"/v1/products/SKU-{number}")).json()
            assert found["title"] == value
            kept += 1
        order = {"customer_id": value, "lines": [{"sku": "MUG", "quantity": 1}]}
        once = {"idempotency-key": f"';--{number}"}
        made = await client.post("/v1/orders", json=order, headers=once)
        if made.status_code == 201:
            listed = await client.get("/v1/orders", params={"customer_id": value})
            assert [one["customer_id"] for one in listed.json()["items"]] == [value]
            kept += 1
        assert put_.status_code in {201, 422}
        assert made.status_code in {201, 422}

    assert kept > 12
    assert (await client.get("/v1/orders", params={"reference": "WEB-1"})).json()["items"]
