"""The pages an operator works at, in front of a real database, as a browser asks for them."""

import re
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from app.bus.subscriber import Subscriber
from app.db import Database
from app.web.principal import OPEN
from tests.web.sample import Process, settings, whole

SQLITE = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)
"""For what the database has no part in: the REST API behind the pages is tested on all."""

HOSTILE = '<script>alert("x")</script>'


def application(
    database: Database, subscribers: Sequence[Subscriber] = (), **values: Hashable
) -> FastAPI:
    """Build the whole application on database, without its loops."""
    process = Process(settings=settings(**values), database=database, subscribers=subscribers)
    return whole(process, **values)


@asynccontextmanager
async def browsing(app: FastAPI, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect as a browser does that is on a page of this server."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://localhost:8000",
        headers={"sec-fetch-site": "same-origin", **headers},
    ) as client:
        yield client


def text_of(page: httpx2.Response) -> str:
    """Return what somebody reads on a page: without tags, with single blanks."""
    assert page.headers["content-type"].startswith("text/html"), page.text
    body = re.sub(r"<(script|style|title|desc)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def hidden(page: httpx2.Response, name: str) -> str:
    """Return the value of a page's hidden field."""
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', page.text)
    assert found is not None, f"no hidden field {name}"
    return found[1]


def links(page: httpx2.Response, beginning: str) -> list[str]:
    """Return where the links of a page lead that begin so, each once."""
    found = re.findall(r'href="([^"]*)"', page.text)
    return list(
        dict.fromkeys(one.replace("&amp;", "&") for one in found if one.startswith(beginning))
    )


def live_request(app: FastAPI, query: str) -> Request:
    """Return the request of a page that is live, by somebody on this machine."""
    scope: Mapping[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/console/live/x",
        "raw_path": b"/console/live/x",
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:8000")],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "app": app,
        "state": {"principal": OPEN},
    }
    return Request(dict(scope))
