"""The sample API with keys in front, and routes that ask for odd things."""

from typing import Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Request

from app.web import keys_api
from app.web.auth import customer_of, principal, require
from tests.contracts.told import told
from tests.web.sample import Process, build

OURS = "a-key-of-enough-letters"
THING = {"sku": "MUG", "quantity": 1}

odd = APIRouter(prefix="/v1/odd", dependencies=[Depends(principal)])


@odd.get("/undeclared")
async def undeclared() -> None:
    """Forget to say for whom."""


@odd.get("/stock", dependencies=[Depends(require("inventory:read"))])
async def stock() -> None:
    """Show what is about every customer."""


@odd.get("/shelf", dependencies=[Depends(require("inventory:read", customers=True))])
async def shelf(request: Request) -> str | None:
    """Show what is for every customer, and who asked."""
    return customer_of(request)


@odd.get("/both", dependencies=[Depends(require("ops")), Depends(require("keys"))])
async def both() -> None:
    """Ask for two scopes."""


async def unguarded(request: Request) -> str | None:
    """Ask who it is without having asked for a key."""
    return customer_of(request)


def application(process: Process) -> FastAPI:
    app = build(process)
    app.include_router(keys_api.router)
    app.include_router(odd)
    app.get("/unguarded")(unguarded)
    return app


def connected(process: Process) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=application(process))
    return httpx2.AsyncClient(
        transport=transport,
        base_url="http://localhost:8000",
        event_hooks={"response": [told]},
    )


async def make(client: httpx2.AsyncClient, *scopes: str, **more: Any) -> httpx2.Response:  # noqa: ANN401 - further members
    headers = more.pop("headers", {})
    body = {"name": "shop", "scopes": scopes, **more}
    return await client.post("/v1/api-keys", json=body, headers=headers)


async def secret(client: httpx2.AsyncClient, *scopes: str, **more: Any) -> dict[str, str]:  # noqa: ANN401 - further members
    """Make a key and return the headers that carry it."""
    made = await make(client, *scopes, **more)
    assert made.status_code == 201, made.text
    return {"authorization": f"Bearer {made.json()['secret']}"}
