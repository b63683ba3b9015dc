"""The last walls: what the tables refuse, whoever asks."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.db import Database
from tests.inventory.sample import decide, levels, movements, request, stock
from tests.least_privilege import as_owner


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stock_movements SET d_on_hand = 1000",
        "DELETE FROM stock_movements",
    ],
)
async def test_the_ledger_is_append_only(database: Database, change: str) -> None:
    await stock(database, MUG=1)

    with pytest.raises(DBAPIError, match="append-only"):
        async with as_owner(database) as connection:
            await connection.execute(text(change))

    assert [row.d_on_hand for row in await movements(database)] == [1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stock_levels SET reserved = on_hand + 1",
        "UPDATE stock_levels SET reserved = -1",
        "UPDATE stock_levels SET on_hand = 0",
        "UPDATE stock_levels SET reserved = 0, on_hand = -1",
        "UPDATE stock_levels SET committed = reserved + 1",
        "UPDATE stock_levels SET committed = -1",
    ],
)
async def test_no_statement_can_oversell(database: Database, change: str) -> None:
    await stock(database, MUG=2)
    await decide(database, request("o-1", MUG=1))

    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await session.execute(text(change))

    assert await levels(database) == {"MUG": (2, 1)}


async def test_one_event_cannot_be_booked_twice(database: Database) -> None:
    await stock(database, MUG=2)
    await decide(database, request("o-1", MUG=1))

    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await session.execute(
                text(
                    "INSERT INTO stock_movements (sku, location, kind, d_on_hand, d_reserved,"
                    " on_hand_after, reserved_after, event_id)"
                    " SELECT sku, location, kind, 0, 1, 2, 2, event_id FROM stock_movements"
                    " WHERE kind = 'reserve'"
                )
            )
