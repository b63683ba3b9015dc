"""Products, orders for them, and what became of those, for the tests of orders."""

import httpx2
from sqlalchemy import select

from app.bus.event import Envelope, Event
from app.bus.tables import outbox
from app.db import Database
from app.main import create_app
from app.modules.orders.events import OrderConfirmed, OrderCreated, OrderRejected
from app.modules.orders.models import OrderDraft, PlacedOrder
from app.modules.orders.service.place import place
from app.modules.orders.service.products import ProductDraft, put_product
from app.modules.orders.service.read import get_order
from app.settings import Settings
from tests.web.sample import Process

KINDS: dict[str, type[Event]] = {
    kind.type: kind for kind in (OrderConfirmed, OrderCreated, OrderRejected)
}


def connected(database: Database) -> httpx2.AsyncClient:
    """Return a client of the whole application on database, without its loops."""
    settings = Settings.model_validate({})
    app = create_app(settings)
    app.state.runtime = Process(settings=settings, database=database)
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def catalogue(database: Database, **prices: int) -> None:
    """Make products of these prices in pence."""
    async with database.write() as session:
        for sku, price in prices.items():
            draft = ProductDraft(sku=sku, title=sku.title(), unit_price_minor=price, currency="GBP")
            await put_product(session, draft)


def draft(*lines: tuple[str, int], reference: str | None = None) -> OrderDraft:
    """Return a draft of these lines."""
    return OrderDraft(customer_id="c-1", lines=lines, reference=reference)


async def placed(database: Database, *drafts: OrderDraft) -> list[PlacedOrder]:
    """Place these orders in one transaction."""
    async with database.write() as session:
        return await place(session, drafts)


async def stored(database: Database, order_id: str) -> PlacedOrder:
    """Return an order as the database has it."""
    async with database.read() as session:
        return await get_order(session, order_id)


async def published(database: Database) -> list[Event]:
    """Return what orders published, in the order it did."""
    async with database.read() as session:
        found = await session.execute(
            select(outbox.c.type, outbox.c.envelope)
            .where(outbox.c.context == "orders")
            .order_by(outbox.c.position)
        )
    return [Envelope.model_validate_json(text).open(KINDS[type_]) for type_, text in found]
