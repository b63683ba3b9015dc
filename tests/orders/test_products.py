"""The catalogue: the same PUT twice changes nothing, and a stale one is refused."""

from functools import partial

import pytest

from app.db import Database
from app.modules.orders.errors import PreconditionFailedError, ProductNotFoundError
from app.modules.orders.models.tables import Product
from app.modules.orders.service.products import (
    ProductDraft,
    get_product,
    list_products,
    put_product,
)
from tests.transactions import at_once

MUG = ProductDraft(sku="MUG", title="Mug", unit_price_minor=425, currency="GBP")
POT = ProductDraft(sku="MUG", title="Pot", unit_price_minor=425, currency="GBP")


async def put(
    database: Database, draft: ProductDraft, replacing: set[int] | None = None
) -> tuple[Product, bool]:
    """Put in a transaction of its own."""
    async with database.write() as session:
        return await put_product(session, draft, replacing=replacing)


async def test_a_product_is_created_and_then_changed(database: Database) -> None:
    product, created = await put(database, MUG)
    assert (created, product.version, product.active) == (True, 1, True)

    changed, created = await put(database, POT)

    assert (created, changed.version, changed.title) == (False, 2, "Pot")
    assert changed.created_at == product.created_at
    assert changed.updated_at >= product.updated_at
    async with database.read() as session:
        assert (await get_product(session, "MUG")).title == "Pot"


async def test_the_same_again_is_the_same_version(database: Database) -> None:
    await put(database, MUG)

    product, created = await put(database, MUG)

    assert (created, product.version) == (False, 1)


async def test_a_stale_version_is_refused_and_nothing_changes(database: Database) -> None:
    await put(database, MUG)
    await put(database, POT, {1, 7})

    with pytest.raises(PreconditionFailedError) as refused:
        await put(database, MUG, {1, 7})

    assert refused.value.extra == {"current_version": 2}
    async with database.read() as session:
        assert (await get_product(session, "MUG")).title == "Pot"


async def test_a_condition_never_creates(database: Database) -> None:
    with pytest.raises(PreconditionFailedError):
        await put(database, MUG, {1})

    async with database.read() as session:
        with pytest.raises(ProductNotFoundError):
            await get_product(session, "MUG")


async def test_of_many_that_replace_one_version_one_wins(database: Database) -> None:
    await put(database, MUG)
    refused: list[str] = []

    async def change(title: str) -> None:
        draft = ProductDraft(sku="MUG", title=title, unit_price_minor=1, currency="GBP")
        try:
            await put(database, draft, {1})
        except PreconditionFailedError as error:
            refused.append(error.code)

    await at_once(database, *(partial(change, f"Mug {number}") for number in range(10)))

    assert len(refused) == 9


async def test_of_many_that_create_one_creates(database: Database) -> None:
    outcomes: list[bool] = []

    async def create() -> None:
        outcomes.append((await put(database, MUG))[1])

    await at_once(database, *[create] * 10)

    assert sorted(outcomes) == [False] * 9 + [True]


async def test_pages_follow_each_other_in_byte_order(database: Database) -> None:
    names = ["a", "B", "é", "Z", "_"]
    for sku in names:
        await put(database, ProductDraft(sku=sku, title=sku, unit_price_minor=1, currency="GBP"))
    seen: list[str] = []

    async with database.read() as session:
        while page := await list_products(session, after=seen[-1] if seen else None, limit=2):
            seen += [product.sku for product in page]

    assert seen == sorted(names)
