"""The console against other sites, stolen and planted cookies, and text that would be a program."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.routing import Route

from app.bus.tables import delivery
from app.console import sign_in as signing_in
from app.console.ask import RefusedError
from app.console.live import _changes
from app.console.router import LIVE, ROUTES
from app.db import Database
from app.main import SUBSCRIBERS
from app.modules.orders.models.life import OrderStatus
from app.web import sessions
from app.web.problem import NothingHereError
from app.web.sse import RETRY
from tests.bus.given_up import LOUD, Ears, dead, dump
from tests.bus.sample import Rang, subscribed
from tests.console.desk import SQLITE, application, live_request
from tests.orders.rest import placed_at
from tests.security.conftest import KEY

ORIGIN = "http://localhost:8000"
CHANGES = [one for one in ROUTES if one.methods == {"POST"}]
SHOWS = [one for one in ROUTES if one.methods == {"GET", "HEAD"}]

FOREIGN: list[dict[str, str]] = [
    {},
    {"referer": f"{ORIGIN}/console"},
    {"origin": "null"},
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:8001"},
    {"origin": f"{ORIGIN}.evil.example"},
    {"origin": f"{ORIGIN}@evil.example"},
    {"origin": "http://evil.example", "sec-fetch-site": "same-origin"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "Same-Origin, same-origin"},
]


def address(route: Route) -> str:
    """Return a route's path with something in its places."""
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: _IN_PLACE.get(found[1], "x"), route.path)


_IN_PLACE = {
    "subscriber": "inventory",
    "name": "inventory",
    "sku": "MUG",
    "command": "cancel",
    "form": "receive",
    "what": "replay",
    "event_id": "0199c2d4-a8f0-7c1e-9b3d-5f7a2c4e6081",
    "action_id": "0199c2d4-a8f0-7c1e-9b3d-5f7a2c4e6081",
}


@asynccontextmanager
async def visiting(app: FastAPI, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect as a browser that says where it is from only as told."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        yield client


@pytest.fixture
def app(database: Database) -> FastAPI:
    """Give the whole application, which asks for a key."""
    return application(database, SUBSCRIBERS, api_key=KEY)


@pytest.fixture(autouse=True)
def quick_thought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a wrong key thought about for a moment only."""
    monkeypatch.setattr(signing_in, "WRONG_KEY_S", 0.05)


async def signed_in(client: httpx2.AsyncClient) -> str:
    """Sign in, and return the cookie's value, which the client then has."""
    answer = await client.post("/console/sign-in", data={"key": KEY}, headers={"origin": ORIGIN})
    assert answer.status_code == 303, answer.text
    return str(answer.cookies[sessions.COOKIE])


def test_every_page_is_named() -> None:
    assert len(CHANGES) >= 9
    assert len(CHANGES) + len(SHOWS) == len(ROUTES)


@SQLITE
async def test_no_form_of_another_site_changes_anything(app: FastAPI, database: Database) -> None:
    await subscribed(database, *SUBSCRIBERS)
    async with visiting(app) as client:
        await signed_in(client)
        order_id = await placed_in(app)
        before = await dump(database)
        for route in CHANGES:
            path = address(route).replace("/orders/x/", f"/orders/{order_id}/")
            for headers in FOREIGN:
                fields = {"reason": "x", "key": KEY, "quantity": "1", "once": "1"}
                answer = await client.post(path, data=fields, headers=headers)
                assert answer.status_code == 403, f"{path} {headers}"
                assert "set-cookie" not in answer.headers
        assert await dump(database) == before
        for route in CHANGES:
            answer = await client.post(address(route), headers={"origin": ORIGIN})
            assert "not sent by a page of this server" not in answer.text, route.path


@SQLITE
async def test_looking_changes_nothing(app: FastAPI, database: Database) -> None:
    await subscribed(database, *SUBSCRIBERS)
    async with visiting(app) as client:
        await signed_in(client)
        before = await dump(database)
        for route in SHOWS:
            if "/live/" not in route.path:
                for method in ("GET", "HEAD"):
                    query = {"reason": "x", "_method": "POST", "once": "1"}
                    answer = await client.request(method, address(route), params=query)
                    assert answer.status_code < 500, route.path
        assert await dump(database) == before


@SQLITE
async def test_without_a_session_every_page_leads_to_where_it_begins(
    app: FastAPI, database: Database
) -> None:
    before = await dump(database)
    async with visiting(app) as client:
        for token in ("", "x" * 43, "' OR '1'='1"):
            headers = {"origin": ORIGIN, "cookie": f"{sessions.COOKIE}={token}"}
            for route in ROUTES:
                path = address(route)
                if path.startswith(("/console/static/", "/console/sign-in")):
                    continue
                method = "POST" if route in CHANGES else "GET"
                answer = await client.request(method, path, headers=headers)
                if path.startswith("/console/live/"):
                    assert answer.status_code == 401
                    continue
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/console/sign-in"), path
    assert await dump(database) == before


@SQLITE
async def test_a_cookie_that_was_planted_never_becomes_a_session(app: FastAPI) -> None:
    planted = "planted-by-somebody-else-0123456789abcdefghi"
    async with visiting(app) as victim, visiting(app) as attacker:
        victim.cookies.set(sessions.COOKIE, planted, domain="localhost.local", path="/console")
        first = await signed_in(victim)
        second = await signed_in(victim)
        attacker.cookies.set(sessions.COOKIE, planted, path="/console")

        assert len({planted, first, second}) == 3
        assert (await attacker.get("/console")).status_code == 303


@SQLITE
async def test_signing_out_ends_the_session_for_whoever_copied_it(
    app: FastAPI, database: Database
) -> None:
    async with visiting(app) as owner, visiting(app) as thief, visiting(app) as colleague:
        stolen = await signed_in(owner)
        await signed_in(colleague)
        thief.cookies.set(sessions.COOKIE, stolen, path="/console")
        assert (await thief.get("/console")).status_code == 200

        answer = await owner.post("/console/sign-out", headers={"origin": ORIGIN})

        gone = answer.headers["set-cookie"]
        assert f'{sessions.COOKIE}="";' in gone
        assert "Max-Age=0" in gone
        assert (await thief.get("/console")).status_code == 303
        assert (await colleague.get("/console")).status_code == 200
        async with database.read() as session:
            rows = (await session.execute(select(sessions.console_sessions))).all()
        assert len(rows) == 1


@SQLITE
async def test_a_key_is_not_guessed_by_the_console_faster_than_by_the_api(app: FastAPI) -> None:
    async with visiting(app) as client:
        for wrong in ("x", KEY[:-1], KEY + "x", "ok_1_" + "A" * 43, "\0", "x" * 100_000):
            answer = await client.post(
                "/console/sign-in", data={"key": wrong}, headers={"origin": ORIGIN}
            )
            assert answer.status_code == 422
            assert "set-cookie" not in answer.headers
            assert wrong not in answer.text or len(wrong) == 1


# What becomes a program when a page shows it as it is: in text, in an attribute, in a script.
def planted(number: int) -> str:
    return f"\"><img src=x onerror=alert({number})>'--><script>alert({number})<"


class Markup(HTMLParser):
    """Reads a page as a browser would, and keeps what no page of ours has."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.strange: list[str] = []
        self.text: list[str] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element's name, its attributes and where it leads."""
        given = dict(attrs)
        if tag in {"img", "iframe", "object", "embed", "base"} or (
            tag == "script" and not (given.get("src") or "").startswith("/console/static/")
        ):
            self.strange.append(f"<{tag} {given}>")
        for name, value in attrs:
            if name.startswith("on") or name in {"style", "srcdoc"}:
                self.strange.append(f"{name}={value}")
            if name in {"href", "src", "action", "formaction", "xlink:href"}:
                if not re.match(r"/(?![/\\])|[#?]", value or ""):
                    self.strange.append(f"{name}={value}")
                elif name == "href":
                    self.links.add(value or "")
            self.text.append(value or "")

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        self.text.append(data)


def read(page: str) -> Markup:
    found = Markup()
    found.feed(page)
    found.close()
    return found


def numbers(texts: list[str]) -> set[int]:
    """Return the numbers of what was planted and is there to be read, every letter of it."""
    whole = "\0".join(texts)
    return {int(one) for one in re.findall(r"alert\((\d+)\)", whole) if planted(int(one)) in whole}


@SQLITE
async def test_no_text_becomes_a_program_on_any_page(database: Database) -> None:
    ears = Ears()
    app = application(database, (*SUBSCRIBERS, ears.subscriber))
    await subscribed(database, *SUBSCRIBERS, ears.subscriber)
    async with visiting(app, **{"sec-fetch-site": "same-origin"}) as client:
        what = await plant(client, database, ears)
        seen, strange, pages = await wander(client, 150)
        for name, fragments in LIVE.items():
            for query in ("", f"id={what['order']}", "name=inventory"):
                with suppress(RefusedError, NothingHereError):
                    for html in (await fragments(live_request(app, query))).values():
                        strange += [f"live {name}: {one}" for one in read(html).strange]
        # What is sent and refused comes back in the form.
        for path in ("/console/orders", "/console/audit", "/console/inventory", "/console/sign-in"):
            for field in ("q", "from", "who", "subscriber", "sku", "prefix", "next", "cursor"):
                found = read((await client.get(path, params={field: planted(99)})).text)
                strange += [f"{path}?{field}: {one}" for one in found.strange]
        for form in ("receive", "adjust", "count"):
            sent = dict.fromkeys(
                ("quantity", "reason", "location", "reference", "once"), planted(98)
            )
            there = f"/console/inventory/{quote(planted(2), safe='')}/{form}"
            found = read((await client.post(there, data=sent)).text)
            strange += [f"{form}: {one}" for one in found.strange]

    assert not strange, "\n".join(strange)
    assert len(pages) > 25
    assert seen >= set(what["shown"]), f"not seen: {set(what['shown']) - seen}; {sorted(pages)}"


async def wander(client: httpx2.AsyncClient, most: int) -> tuple[set[int], list[str], set[str]]:
    """Follow the links of the console; return what was seen of the planted, what was odd, where."""
    todo, pages = ["/console"], set[str]()
    seen: set[int] = set()
    strange: list[str] = []
    while todo and len(pages) < most:
        path = todo.pop(0)
        if path in pages:
            continue
        pages.add(path)
        answer = await client.get(path, follow_redirects=True)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        assert answer.status_code < 500, path
        found = read(answer.text)
        strange += [f"{path}: {one}" for one in found.strange]
        seen |= numbers(found.text)
        todo += sorted(
            one for one in found.links if one.startswith("/console") and one not in pages
        )
    return seen, strange, pages


async def plant(client: httpx2.AsyncClient, database: Database, ears: Ears) -> dict[str, Any]:
    """Put text that would be a program wherever text can be put; return what pages show of it."""

    async def sent(method: str, path: str, **body: object) -> dict[str, Any]:
        answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    sku = planted(2).replace("/", "")
    escaped = quote(sku, safe="")
    price = {"amount": "4.25", "currency": "GBP"}
    for one, title in ((escaped, 1), ("MUG", 1)):
        await sent("PUT", f"/v1/products/{one}", title=planted(title), unit_price=price)
    lines = [{"sku": sku, "quantity": 5}, {"sku": "MUG", "quantity": 50}]
    await sent("PUT", "/v1/inventory/locations/attic", name=planted(3))
    await sent(
        "POST", "/v1/inventory/receipts", reference=planted(4), lines=lines, location="attic"
    )
    await sent("POST", "/v1/inventory/receipts", lines=lines)
    delta = [{"sku": sku, "delta": -1}]
    await sent(
        "POST", "/v1/inventory/adjustments", reason=planted(5), reference=planted(6), lines=delta
    )
    wanted = [{"sku": sku, "quantity": 1}]
    order = await sent(
        "POST", "/v1/orders", customer_id=planted(7), reference=planted(8), lines=wanted
    )
    await sent("POST", f"/v1/orders/{order['id']}/cancel", reason=planted(9))
    shipped = await placed_at(client, database, OrderStatus.CONFIRMED)
    await sent("POST", f"/v1/orders/{shipped}/fulfillments", tracking=planted(10))
    await sent("POST", "/v1/ops/subscribers/inventory/pause", reason=planted(11))
    await dead(database, ears, Rang(bell=planted(12), volume=LOUD))
    async with database.write() as session:
        await session.execute(
            delivery.update().values(
                error=planted(13),
                error_type=planted(14)[:100],
                traceback=f"Traceback (most recent call last):\n  {planted(15)}",
            )
        )
    return {"order": order["id"], "shown": {1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15}}


async def placed_in(app: FastAPI) -> str:
    """Place an order, and return its id."""
    async with visiting(app, authorization=f"Bearer {KEY}") as client:
        price = {"amount": "4.25", "currency": "GBP"}
        body = {"title": "Mug", "unit_price": price}
        assert (await client.put("/v1/products/MUG", json=body)).is_success
        order = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 1}]}
        answer = await client.post("/v1/orders", json=order)
        return str(answer.json()["id"])


def test_what_is_planted_would_be_found() -> None:
    """The look-out sees markup, attributes and addresses that are not ours."""
    bad: Iterator[str] = iter(
        (
            f"<p>{planted(1)}</p>",
            f'<a title="{planted(1)}">x</a>',
            '<a href="javascript:alert(1)">x</a>',
            '<p onclick="alert(1)">x</p>',
            '<form action="https://evil.example">',
            "<script>alert(1)</script>",
        )
    )
    assert all(read(one).strange for one in bad)
    assert not read(
        '<a href="/console">x</a><script src="/console/static/1/a.js"></script>'
    ).strange


@SQLITE
async def test_what_is_live_nowhere_is_said_in_the_stream(app: FastAPI, database: Database) -> None:
    """Once a stream has begun, no refusal may break it off: that would be a failure of ours."""
    await subscribed(database, *SUBSCRIBERS)
    changes = [
        _changes(live_request(app, query), LIVE[name])
        for name, query in (("order", ""), ("order", "id=x"), ("subscriber", "name=x"))
    ]
    for one in changes:
        assert await anext(one) == RETRY
        assert (await anext(one)).startswith("event: trouble\n")
        await one.aclose()  # type: ignore[attr-defined]  # a generator is what it is
