"""Shipping beside orders, as events reach it: in order, out of order, twice, around a crash."""

from collections.abc import AsyncIterator

import pytest

from app.bus.stream import Stream
from app.bus.testing.crash import Moment
from app.bus.testing.scenario import Scenario, play
from app.db import Database
from app.modules.orders.events import OrderCancelled, OrderConfirmed
from app.modules.shipping import service
from app.modules.shipping.errors import ShipmentNotFoundError, ShipmentStateConflictError
from app.modules.shipping.events import ShipmentCalledOff, ShipmentDispatched, ShipmentPrepared
from app.modules.shipping.handlers import subscriber
from app.modules.shipping.models import ShipmentStatus

ORDER = "ord_1"


@pytest.fixture
async def scenario(database: Database, stream: Stream) -> AsyncIterator[Scenario]:
    async with play(database, stream, subscriber) as scenario:
        yield scenario


async def test_a_confirmed_order_gets_one_shipment_however_often_it_is_told(
    scenario: Scenario,
) -> None:
    told = OrderConfirmed(order_id=ORDER)
    await scenario.publish(told)
    prepared = await scenario.wait_for(ShipmentPrepared)

    await scenario.duplicate(told)
    await scenario.publish(OrderConfirmed(order_id="ord_2"))
    await scenario.drain()

    assert prepared.order_id == ORDER
    assert [one.order_id for one in await scenario.published(ShipmentPrepared)] == [ORDER, "ord_2"]


@pytest.mark.parametrize("moment", list(Moment))
async def test_a_crash_around_the_commit_prepares_once(scenario: Scenario, moment: Moment) -> None:
    with scenario.crash(subscriber, moment) as crash:
        await scenario.publish(OrderConfirmed(order_id=ORDER))
        await crash.happened()

    await scenario.drain()
    assert len(await scenario.published(ShipmentPrepared)) == 1


async def test_a_cancelled_order_is_not_shipped(scenario: Scenario) -> None:
    await scenario.publish(OrderConfirmed(order_id=ORDER))
    await scenario.wait_for(ShipmentPrepared)

    await scenario.publish(OrderCancelled(order_id=ORDER, reason="Paid twice"))

    called_off = await scenario.wait_for(ShipmentCalledOff)
    assert called_off.order_id == ORDER


async def test_a_cancel_that_comes_first_leaves_nothing_to_prepare(
    scenario: Scenario, database: Database
) -> None:
    await scenario.publish(OrderCancelled(order_id=ORDER, reason="Paid twice"))
    await scenario.drain()

    await scenario.publish(OrderConfirmed(order_id=ORDER))
    await scenario.drain()

    async with database.read() as session:
        (shipment,) = await service.page(session, None, after=None, limit=10)
    assert shipment.status == ShipmentStatus.CALLED_OFF
    assert await scenario.published(ShipmentPrepared) == []


async def test_what_left_stays_gone(scenario: Scenario, database: Database) -> None:
    await scenario.publish(OrderConfirmed(order_id=ORDER))
    prepared = await scenario.wait_for(ShipmentPrepared)
    async with database.write() as session:
        await service.dispatch(session, prepared.shipment_id, carrier="UPS", tracking="1Z")

    await scenario.publish(OrderCancelled(order_id=ORDER, reason="Too late"))
    await scenario.drain()

    assert (await scenario.wait_for(ShipmentDispatched)).tracking == "1Z"
    assert await scenario.published(ShipmentCalledOff) == []
    async with database.write() as session:
        with pytest.raises(ShipmentStateConflictError, match="dispatched"):
            await service.dispatch(session, prepared.shipment_id, carrier="UPS", tracking=None)


async def test_what_does_not_exist_cannot_leave(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(ShipmentNotFoundError, match="shp_0"):
            await service.dispatch(session, "shp_0", carrier="UPS", tracking=None)
