"""A database whose disk is full: what fits is taken, what does not is a 503 and leaves nothing."""

import httpx2
import pytest
from sqlalchemy import text

from app.db import Database
from tests.orders.sample import catalogue

ORDER = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 1}]}


async def allow_pages(database: Database, count: int | None) -> None:
    """Let the file grow by so many pages more; None for as many as it wants."""
    async with database.writer.connect() as connection:
        now = int((await connection.exec_driver_sql("PRAGMA page_count")).scalar_one())
        most = 2**30 if count is None else now + count
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")


async def counts(database: Database) -> dict[str, int]:
    """Return how many rows an order leaves in each table."""
    tables = ("orders", "order_lines", "outbox", "idempotency_keys")
    async with database.read() as session:
        return {
            table: int(await session.scalar(text(f"SELECT COUNT(*) FROM {table}")) or 0)  # noqa: S608
            for table in tables
        }


@pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
async def test_a_full_disk_is_a_503_and_nothing_is_half_written(
    database: Database, client: httpx2.AsyncClient
) -> None:
    await catalogue(database, MUG=425)
    await allow_pages(database, 3)
    answered = 0
    while True:
        headers = {"Idempotency-Key": f"key-{answered}"}
        reply = await client.post("/v1/orders", json=ORDER, headers=headers)
        if not reply.is_success:
            break
        answered += 1

    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["retry-after"] == "1"
    assert answered > 0
    assert set((await counts(database)).values()) == {answered}

    await allow_pages(database, None)
    again = await client.post("/v1/orders", json=ORDER, headers=headers)
    assert again.status_code == 201
    assert set((await counts(database)).values()) == {answered + 1}
