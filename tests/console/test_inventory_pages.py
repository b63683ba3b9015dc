"""The pages of stock: what is low first, all that is known of one SKU, and booking."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest

from app.console.inventory import bar
from app.db import Database
from app.modules.inventory.models.tables import Reservation, ReservationLine, ReservationState
from tests.console.desk import HOSTILE, SQLITE, application, browsing, hidden, links, text_of
from tests.orders.rest import MUG, put

LIST = "/console/inventory"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with browsing(application(database)) as opened:
        yield opened


async def receive(client: httpx2.AsyncClient, **units: int) -> None:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
    made = await client.post("/v1/inventory/receipts", json={"lines": lines})
    assert made.status_code == 201


@SQLITE
async def test_no_stock_says_how_the_first_goods_come(client: httpx2.AsyncClient) -> None:
    page = await client.get(LIST)

    assert page.status_code == 200
    assert "No stock yet" in text_of(page)


@SQLITE
async def test_what_runs_out_first_comes_first(client: httpx2.AsyncClient) -> None:
    await receive(client, MUG=40, CUP=2, BOWL=9, CAP=500)
    low = {"safety_stock": 1, "low_stock_at": 5}
    assert (await client.put("/v1/inventory/items/CUP", json=low)).status_code == 201
    out = {"safety_stock": 9, "low_stock_at": 0}
    assert (await client.put("/v1/inventory/items/BOWL", json=out)).status_code == 201

    page = await client.get(LIST)
    begins = await client.get(LIST, params={"sku": "C", "show": "all"})
    only_low = await client.get(LIST, params={"show": "low"})
    none = await client.get(LIST, params={"sku": "ZZ"})

    assert links(page, f"{LIST}/") == [f"{LIST}/{sku}" for sku in ("CUP", "BOWL", "MUG", "CAP")]
    assert links(begins, f"{LIST}/") == [f"{LIST}/CAP", f"{LIST}/CUP"]
    assert links(only_low, f"{LIST}/") == [f"{LIST}/CUP", f"{LIST}/BOWL"]
    assert "CUP low default 2 1 2 0" in text_of(page)
    assert "BOWL sold out default 9 0 9 0" in text_of(page)
    assert "No stock matches" in text_of(none)
    assert page.text.count('class="stock-safety" x=') == 2
    assert links(none, f"{LIST}/") == [f"{LIST}/ZZ"]


@SQLITE
async def test_a_sku_shows_its_levels_who_holds_it_and_its_ledger(
    client: httpx2.AsyncClient,
) -> None:
    sku = "<b>&"
    assert (await put(client, quote(sku, safe=""), MUG | {"title": HOSTILE})).status_code == 201
    await receive(client, **{sku: 40})
    down = {"reason": "breakage", "lines": [{"sku": sku, "delta": -3}]}
    assert (await client.post("/v1/inventory/adjustments", json=down)).status_code == 201

    page = await client.get(f"{LIST}/{quote(sku, safe='')}")
    holding = await client.get(f"{LIST}/{quote(sku, safe='')}?holding=1")

    told = text_of(page)
    assert HOSTILE not in page.text
    assert "Available 37" in told
    assert "4.25 GBP" in told
    assert "adjust default \N{MINUS SIGN}3 37" in told
    assert "receive default +40 40" in told
    assert "No order had any yet" in told
    assert "Nobody holds any" in text_of(holding)


@SQLITE
async def test_a_sku_nobody_ever_received_can_be_received(client: httpx2.AsyncClient) -> None:
    there = f"{LIST}/MUG"
    page = await client.get(there)
    asked = {"key": hidden(page, "key"), "quantity": "12", "location": "default"}

    done = await client.post(f"{there}/receive", data=asked)
    twice = await client.post(f"{there}/receive", data=asked)
    after = await client.get(done.headers["location"])

    assert "It was never received" in text_of(page)
    assert (done.status_code, twice.status_code) == (303, 303)
    assert "The goods are booked" in text_of(after)
    assert "Available 12" in text_of(after)


@SQLITE
async def test_what_cannot_be_booked_is_said_and_stays_in_the_form(
    client: httpx2.AsyncClient,
) -> None:
    await receive(client, MUG=4)
    there = f"{LIST}/MUG"

    much = await client.post(f"{there}/adjust", data={"delta": "-9", "reason": "theft"})
    words = await client.post(f"{there}/receive", data={"quantity": "a dozen"})
    other = await client.post(f"{there}/explode", data={"delta": "1"})

    assert much.status_code == 409
    assert 'value="-9"' in much.text
    assert 'value="theft"' in much.text
    assert words.status_code == 422
    assert 'value="a dozen"' in words.text
    assert "/lines/0/quantity" in text_of(words)
    assert other.status_code == 404


@SQLITE
async def test_how_a_sku_is_kept_changes_the_version_on_the_page(
    client: httpx2.AsyncClient,
) -> None:
    there = f"{LIST}/MUG"
    marks = {"safety_stock": "2", "low_stock_at": "5"}

    first = await client.post(f"{there}/keep", data=marks)
    page = await client.get(first.headers["location"])
    version = hidden(page, "version")
    second = await client.post(
        f"{there}/keep", data=marks | {"version": version, "low_stock_at": "6"}
    )
    stale = await client.post(f"{there}/keep", data=marks | {"version": version})

    assert "From now on the SKU is kept so." in text_of(page)
    assert (first.status_code, second.status_code, stale.status_code) == (303, 303, 412)


async def test_reservations_come_in_pages_and_those_that_hold_alone(
    client: httpx2.AsyncClient, database: Database
) -> None:
    ids = [f"ord_{number:032x}" for number in range(25)]
    async with database.write() as session:
        for number, order_id in enumerate(ids):
            state = ReservationState.HELD if number == 3 else ReservationState.CONSUMED
            session.add(Reservation(order_id=order_id, state=state, version=1))
        await session.flush()
        for order_id in ids:
            for place in ("default", "attic"):
                if place == "default" or order_id == ids[3]:
                    line = ReservationLine(
                        order_id=order_id, sku="MUG", location=place, quantity=2, issued=0
                    )
                    session.add(line)

    first = await client.get(f"{LIST}/MUG")
    second = await client.get(links(first, f"{LIST}/MUG?more=")[0])
    holding = await client.get(f"{LIST}/MUG?holding=1")

    assert [len(links(page, "/console/orders/")) for page in (first, second)] == [20, 5]
    assert links(holding, "/console/orders/") == [f"/console/orders/{ids[3]}"]
    assert "held 4 0 attic, default" in text_of(holding)


def test_a_bar_has_a_part_for_all_that_is_on_hand() -> None:
    parts = bar({"on_hand": 40, "reserved": 12, "committed": 8}, safety_stock=8)

    assert [(part.kind, part.units, part.at, part.width) for part in parts] == [
        ("committed", 8, 0, 20),
        ("held", 4, 20, 10),
        ("safety", 8, 30, 20),
        ("free", 20, 50, 50),
    ]
    assert bar({"on_hand": 0, "reserved": 0, "committed": 0}) == []
