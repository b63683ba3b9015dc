"""The REST API of inventory: every route below /v1/inventory."""

from fastapi import APIRouter, Depends

from app.modules.inventory.api import items, ledger, locations, papers, stock
from app.web.auth import principal
from app.web.limits import known_parameters

router = APIRouter(
    prefix="/v1/inventory",
    tags=["inventory"],
    dependencies=[Depends(principal), Depends(known_parameters)],
)
for part in (locations, items, papers, stock, ledger):
    router.include_router(part.router)
