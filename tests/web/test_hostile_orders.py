"""The inputs that break tutorials' endpoints, sent to the one that takes orders."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import func, select

from app.bus.tables import outbox
from app.db import Database
from app.web.paging import Paging
from tests.orders.rest import SQLITE, application, client_of
from tests.web.sample import problem_of

JSON = {"content-type": "application/json"}
LINE = '{"sku":"MUG","quantity":1}'


def order(customer: str = '"c-1"', lines: str = f"[{LINE}]", more: str = "") -> bytes:
    """Write an order by hand, as no JSON library would."""
    return f'{{"customer_id":{customer},"lines":{lines}{more}}}'.encode(errors="surrogatepass")


def quantity(written: str) -> bytes:
    return order(lines=f'[{{"sku":"MUG","quantity":{written}}}]')


HOSTILE = {
    "NUL in a text": (order(customer='"a\\u0000b"'), 422),
    "NUL in a reference": (order(more=',"reference":"\\u0000"'), 422),
    "half a surrogate pair": (order(customer='"\\ud800"'), 422),
    "half a pair in raw UTF-8": (order(customer='"\ud800"'), 422),
    "2**31 pieces": (quantity(str(2**31)), 422),
    "2**63 pieces": (quantity(str(2**63)), 422),
    "10**400 pieces": (quantity("1" + "0" * 400), 422),
    "10**5000 pieces": (quantity("1" + "0" * 5000), 400),
    "NaN pieces": (quantity("NaN"), 400),
    "1e999 pieces": (quantity("1e999"), 400),
    "-Infinity pieces": (quantity("-Infinity"), 400),
    "minus five pieces": (quantity("-5"), 422),
    "no pieces": (quantity("0"), 422),
    "true pieces": (quantity("true"), 422),
    "pieces in quotes": (quantity('"3"'), 422),
    "1.0 pieces": (quantity("1.0"), 422),
    "no lines": (order(lines="[]"), 422),
    "100,000 lines": (order(lines=f"[{','.join([LINE] * 38_000)}]"), 422),
    "100,000 levels": (order(lines="[" * 100_000), 400),
    "a status of its own": (order(more=',"status":"confirmed"'), 422),
    "a quantity twice": (order(lines='[{"sku":"MUG","quantity":1,"quantity":9}]'), 400),
    "nothing": (b"", 422),
    "bytes": (b"\xff\xfe\x00", 400),
}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect to the application with one product in it."""
    async with client_of(application(database)) as opened:
        mug = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
        assert (await opened.put("/v1/products/MUG", json=mug)).status_code == 201
        yield opened


async def test_each_is_refused_and_leaves_nothing(
    client: httpx2.AsyncClient, database: Database
) -> None:
    for name, (body, status) in HOSTILE.items():
        response = await client.post("/v1/orders", content=body, headers=JSON)

        assert (name, response.status_code) == (name, status)
        assert problem_of(response)["code"] in {"malformed_json", "validation_failed"}
        assert len(response.content) < 60_000
    listed = (await client.get("/v1/orders")).json()
    assert listed["items"] == []
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(outbox)) == 0


@SQLITE
async def test_a_chunked_body_without_a_length_is_read_and_counted(
    client: httpx2.AsyncClient,
) -> None:
    async def pieces(whole: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(whole), 10):
            yield whole[at : at + 10]

    taken = await client.post("/v1/orders", content=pieces(order()), headers=JSON)
    endless = order(more=f',"reference":"{"x" * 1_100_000}"')
    refused = await client.post("/v1/orders", content=pieces(endless), headers=JSON)

    assert taken.status_code == 201
    assert refused.status_code == 413
    assert problem_of(refused)["code"] == "body_too_large"


@SQLITE
async def test_the_same_sku_twice_in_an_order_is_one_line(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/v1/orders", content=order(lines=f"[{LINE},{LINE}]"), headers=JSON
    )

    lines = json.loads(response.content)["lines"]
    assert [(line["sku"], line["quantity"]) for line in lines] == [("MUG", 2)]


def forged(path: str, filters: dict[str, object], *key: str | int) -> str:
    """Return the cursor that a list would hand out for a row with this key."""
    return Paging(1, None, path).cursor_at(filters, *key)


@pytest.mark.parametrize("place", [2**63 - 1, 2**63 - 5000, 2**62, -5])
async def test_a_forged_place_of_the_feed_is_refused(
    client: httpx2.AsyncClient, place: int
) -> None:
    response = await client.get("/v1/events", params={"after": forged("/v1/events", {}, place)})

    assert problem_of(response)["code"] == ("invalid_cursor" if place > 0 else "cursor_too_old")


@SQLITE
@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "2026-01-01T00:00:00",
        "never",
    ],
)
async def test_a_forged_moment_of_the_stuck_list_is_refused(
    client: httpx2.AsyncClient, moment: str
) -> None:
    filters = {"older_than_s": 60, "waits_for": ["decision", "expiry", "issue"]}
    cursor = forged("/v1/ops/sagas", filters, moment, "ord_1")

    response = await client.get("/v1/ops/sagas", params={"cursor": cursor})

    assert problem_of(response)["code"] == "invalid_cursor"
