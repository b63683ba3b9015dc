"""The REST API of orders: products, orders, what happens to them, and which are stuck."""

from fastapi import APIRouter, Depends

from app.modules.orders.api import commands, fulfillments, history, orders, place, products, sagas
from app.web.auth import principal
from app.web.limits import known_parameters

router = APIRouter(prefix="/v1", dependencies=[Depends(principal), Depends(known_parameters)])
for part in (products, place, orders, commands, fulfillments, history, sagas):
    router.include_router(part.router)
