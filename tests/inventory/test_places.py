"""Locations and items: versions, and what changing nothing leaves alone."""

import pytest

from app.db import Database
from app.modules.inventory.errors import (
    ItemNotFoundError,
    LocationNotFoundError,
    PreconditionFailedError,
    UnknownLocationError,
)
from app.modules.inventory.models.tables import Location, StockItem
from app.modules.inventory.service.items import ItemDraft, get_item, list_items, put_item
from app.modules.inventory.service.locations import (
    LocationDraft,
    get_location,
    list_locations,
    put_location,
)
from tests.inventory.sample import counters, stock_at

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)


async def place(
    database: Database, draft: LocationDraft, replacing: set[int] | None = None
) -> tuple[Location, bool]:
    async with database.write() as session:
        return await put_location(session, draft, replacing=replacing)


async def keep(
    database: Database, draft: ItemDraft, replacing: set[int] | None = None
) -> tuple[StockItem, bool]:
    async with database.write() as session:
        return await put_item(session, draft, replacing=replacing)


async def test_a_location_has_a_version_for_each_change(database: Database) -> None:
    attic = LocationDraft(id="attic", name="Attic", priority=3)

    made, new = await place(database, attic)
    same, again = await place(database, attic)
    assert (made.version, new, same.version, again) == (1, True, 1, False)

    closed = LocationDraft(id="attic", name="Attic", priority=3, active=False)
    changed, _ = await place(database, closed, {1})
    assert (changed.version, changed.active) == (2, False)
    with pytest.raises(PreconditionFailedError) as refused:
        await place(database, attic, {1})
    assert refused.value.extra == {"current_version": 2}
    with pytest.raises(PreconditionFailedError) as refused:
        await place(database, LocationDraft(id="shed"), {1})
    assert refused.value.extra == {"current_version": None}

    async with database.read() as session:
        assert (await get_location(session, "attic")).active is False
        with pytest.raises(LocationNotFoundError):
            await get_location(session, "shed")
        listed = await list_locations(session, after=None, limit=9)
        assert [one.id for one in listed] == ["attic", "default"]
        assert [one.id for one in await list_locations(session, after="attic", limit=9)] == [
            "default"
        ]


async def test_stock_lies_in_known_locations_only(database: Database) -> None:
    with pytest.raises(UnknownLocationError):
        await stock_at(database, "attic", MUG=1)
    await place(database, LocationDraft(id="attic", active=False))

    await stock_at(database, "attic", MUG=1)

    assert await counters(database) == {("MUG", "attic"): (1, 0, 0)}


async def test_an_item_has_a_version_for_each_change(database: Database) -> None:
    made, new = await keep(database, ItemDraft(sku="MUG", safety_stock=2, low_stock_at=5))
    same, again = await keep(database, ItemDraft(sku="MUG", safety_stock=2, low_stock_at=5))
    assert (made.version, new, same.version, again) == (1, True, 1, False)

    changed, _ = await keep(database, ItemDraft(sku="MUG", low_stock_at=6), {1})
    assert (changed.version, changed.safety_stock, changed.low_stock_at) == (2, 0, 6)
    assert changed.updated_at.tzinfo is not None
    with pytest.raises(PreconditionFailedError) as refused:
        await keep(database, ItemDraft(sku="MUG"), {1})
    assert refused.value.extra == {"current_version": 2}
    with pytest.raises(PreconditionFailedError):
        await keep(database, ItemDraft(sku="CUP"), {1})

    await keep(database, ItemDraft(sku="CUP"))
    async with database.read() as session:
        assert (await get_item(session, "MUG")).low_stock_at == 6
        with pytest.raises(ItemNotFoundError):
            await get_item(session, "JUG")
        assert [one.sku for one in await list_items(session, after=None, limit=9)] == ["CUP", "MUG"]
        assert [one.sku for one in await list_items(session, after="CUP", limit=9)] == ["MUG"]
