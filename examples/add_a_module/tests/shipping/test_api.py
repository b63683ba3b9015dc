"""Shipping over REST."""

from app.db import Database
from app.modules.shipping import service
from app.modules.shipping.models import ShipmentStatus
from tests.orders.rest import SQLITE, application, client_of

pytestmark = SQLITE

UPS = {"carrier": "UPS", "tracking": "1Z999AA10123456784"}


async def test_a_shipment_is_listed_got_and_dispatched_once(database: Database) -> None:
    async with database.write() as session:
        await service.prepare(session, "ord_1")
        await service.call_off(session, "ord_2")

    async with client_of(application(database), **{"Idempotency-Key": "k-1"}) as client:
        listed = (await client.get("/v1/shipping", params={"status": "prepared"})).json()
        (shipment,) = listed["items"]
        path = f"/v1/shipping/{shipment['id']}"
        first = await client.post(f"{path}/dispatch", json=UPS)
        again = await client.post(f"{path}/dispatch", json=UPS)
        got = await client.get(path)

    assert shipment["order_id"] == "ord_1"
    assert (first.status_code, first.json()["status"]) == (200, ShipmentStatus.DISPATCHED)
    assert again.json() == first.json() == got.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert got.headers["ETag"] == '"2"'


async def test_what_cannot_be_done_is_told(database: Database) -> None:
    async with database.write() as session:
        await service.call_off(session, "ord_1")
        (shipment,) = await service.page(session, None, after=None, limit=1)

    async with client_of(application(database)) as client:
        past = await client.post(f"/v1/shipping/{shipment.id}/dispatch", json=UPS)
        missing = await client.get("/v1/shipping/shp_0")
        misspelt = await client.post(f"/v1/shipping/{shipment.id}/dispatch", json={"carier": "UPS"})

    assert (past.status_code, past.json()["code"]) == (409, "shipment_state_conflict")
    assert past.json()["current_status"] == "called_off"
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert misspelt.status_code == 422
