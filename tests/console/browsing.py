"""A browser as far as the console can tell: it keeps cookies and says where its forms are from."""

import re
from collections.abc import Mapping

import httpx2
from fastapi import FastAPI

OURS = "a-key-of-enough-letters"
ORIGIN = "http://localhost:8000"
VIEWER = ("ops:read", "orders:read", "inventory:read", "products:read", "events:read")

_TAG = re.compile(r"<[^>]*>")
_BLANK = re.compile(r"\s+")


def browser(app: FastAPI, key: str | None = None) -> httpx2.AsyncClient:
    """Return a client on this machine, that sends a key with everything where it is given one."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)


async def send(
    client: httpx2.AsyncClient, path: str, fields: Mapping[str, str] | None = None, **headers: str
) -> httpx2.Response:
    """Send a form as a browser does; headers replace those that say where it is from."""
    said = {name.replace("_", "-"): value for name, value in headers.items()} or {"origin": ORIGIN}
    return await client.post(path, data=dict(fields or {}), headers=said)


async def sign_in(client: httpx2.AsyncClient, key: str, **fields: str) -> httpx2.Response:
    """Sign in by the form."""
    return await send(client, "/console/sign-in", {"key": key, **fields})


def text_of(answer: httpx2.Response) -> str:
    """Return what a page says, without its tags."""
    return _BLANK.sub(" ", _TAG.sub(" ", answer.text)).replace(" .", ".")


async def make_key(app: FastAPI, *scopes: str, **more: object) -> tuple[str, str]:
    """Make a key with APP_API_KEY, and return its secret and its id."""
    async with browser(app, OURS) as client:
        body = {"name": "somebody", "scopes": list(scopes), **more}
        made = await client.post("/v1/api-keys", json=body)
    assert made.status_code == 201, made.text
    return made.json()["secret"], made.json()["id"]
