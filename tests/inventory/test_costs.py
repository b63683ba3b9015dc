"""What deciding costs in statements: as much for a batch as for one."""

import pytest

from app.db import Database
from app.modules.inventory.events import StockReserved
from app.modules.inventory.service.steps import Step
from tests.inventory.sample import (
    answers,
    auto,
    cancelled,
    check_books,
    confirmed,
    decide,
    request,
    reserved_orders,
    shipment,
    stock,
    stopped,
)
from tests.transactions import counted

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


async def test_a_batch_of_each_kind_costs_the_same_however_large(database: Database) -> None:
    await stock(database, MUG=1000)
    orders = [f"o-{number:03}" for number in range(60)]
    await decide(database, *(request(one, MUG=2) for one in orders))

    async def cost(*steps: Step) -> int:
        with counted(database) as statements:
            await decide(database, *steps)
        return len([one for one in statements if not one.startswith("BEGIN")])

    # Lock the reservations, read their lines, lock the stock; levels, ledger, states; publish.
    assert await cost(confirmed(orders[0])) == 6
    assert await cost(*map(confirmed, orders[:40])) == 6
    # Nothing is held any more, so nobody's stock is locked for it.
    assert await cost(*map(confirmed, orders[:40])) == 1
    # The fulfillments' rows come on top; what was issued instead of the states.
    ships = [shipment(one, f"f-{one}", MUG=1) for one in orders[:20]]
    assert await cost(ships[0]) == await cost(*ships[1:]) == 8
    assert await cost(*ships) == 4
    # A cancel that overtook its order would begin it.
    assert await cost(*map(cancelled, orders[20:])) == 8
    assert await cost(*map(cancelled, orders[20:])) == 2
    assert await cost(*(stopped("o-1", f"f-{number}") for number in range(20))) == 2
    await check_books(database)


async def test_a_reservation_that_is_all_auto_costs_seven_statements_at_most(
    database: Database,
) -> None:
    await stock(database, MUG=100, CUP=100)
    batch = [auto(f"o-{number:02}", MUG=3, CUP=1) for number in range(40)]

    with counted(database) as statements:
        await decide(database, *batch)

    assert len(await reserved_orders(database)) == 33
    assert len([one for one in statements if not one.startswith("BEGIN")]) == 7
    assert len([one for one in await answers(database) if isinstance(one, StockReserved)]) == 33
