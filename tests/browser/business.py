"""A shop after a busy morning: what the pages have to show."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import anyio
import pytest

from tests.browser.program import MOST_IN_A_BOX, TOO_LARGE
from tests.system.orderly import Shop

KEY = "the-key-of-the-whole-house"

UNITS = {
    "MUG": 400,
    "CUP": 300,
    "PLATE": 250,
    "BOWL": 180,
    "TEAPOT": 60,
    "LAMP": 45,
    "CLOCK": 30,
    "VASE": 12,
    "SOLD-OUT": 3,
    TOO_LARGE: 40,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """Where a shop runs that has been busy, the keys to it, and what in it is worth a look.

    Of the dead letters of labels, `no_boxes` are the events that a smaller quantity would mend, and
    `too_large` is how many nothing mends.
    """

    url: str
    viewer: str
    operator: str
    reserved: list[str]
    rejected: str
    cancelled: str
    fulfilled: str
    poisoned: str
    no_boxes: list[str]
    too_large: int
    action: str
    chain: str

    def shop(self) -> Shop:
        """Return a client with every right."""
        return Shop(self.url, key=KEY)


async def busy(url: str) -> Business:
    """Do a morning's business, and return when all of it has settled."""
    async with Shop(url, key=KEY) as shop:
        await _open_shop(shop)
        placed = await _sell(shop, Random(7))
        fulfilled, cancelled = await place(shop, [("MUG", 2), ("CUP", 1)]), await place(shop)
        reserved = [await place(shop, [("LAMP", 1)], manual=True) for _ in range(4)]
        rejected = await place(shop, [("SOLD-OUT", 9), ("MUG", 1)])
        too_large = [await place(shop, [(TOO_LARGE, 1)]) for _ in range(3)]
        poisoned = [await place(shop, [("MUG", MOST_IN_A_BOX + 4)]) for _ in range(3)]
        await shop.all_settled()
        await _cancel(shop, [*placed[:3], cancelled])
        await _ship(shop, [*placed[10:20], fulfilled])
        letters_due = len(too_large) + len(poisoned)
        await _until(lambda: _given_up(shop, letters_due), "labels gives up what it has no box for")
        pause = await post(shop, "/v1/ops/subscribers/mail/pause", {"reason": "New texts are set"})
        letters = await shop.items("/v1/ops/dead-letters", error_type="NoBoxError")
        return Business(
            url=url,
            viewer=await _key(shop, "On call", _LOOKING),
            operator=await _key(shop, "Shift lead", [*_LOOKING, "ops", "orders:write"]),
            reserved=reserved,
            rejected=rejected,
            cancelled=cancelled,
            fulfilled=fulfilled,
            poisoned=poisoned[-1],
            no_boxes=[letter["event_id"] for letter in letters],
            too_large=len(too_large),
            action=pause["id"],
            chain=letters[0]["correlation_id"],
        )


_LOOKING = ["ops:read", "orders:read", "inventory:read", "products:read", "events:read"]


async def _open_shop(shop: Shop) -> None:
    await shop.stock(UNITS)
    for sku, low in (("VASE", 10), ("TEAPOT", 50)):
        body = {"safety_stock": 2, "low_stock_at": low}
        (await shop.http.put(f"/v1/inventory/items/{sku}", json=body)).raise_for_status()
    await shop.stock_at("attic", {"MUG": 50, "LAMP": 10})


async def _sell(shop: Shop, random: Random) -> list[str]:
    """Place two hundred orders, of which some find nothing; return those that found something."""
    placed: list[str] = []
    for batch in range(2):
        wanted: list[dict[str, Any]] = [
            {
                "reference": f"WEB-{batch:02}{i:02}",
                "customer_id": f"c-{random.randrange(1, 40)}",
                "lines": _lines(random, i),
            }
            for i in range(100)
        ]
        outcomes = (await post(shop, "/v1/orders/batch", {"orders": wanted}))["results"]
        placed += [
            one["order"]["id"]
            for one, order in zip(outcomes, wanted, strict=True)
            if order["lines"][0]["sku"] != "SOLD-OUT"
        ]
    return placed


def _lines(random: Random, i: int) -> list[dict[str, Any]]:
    if i % 12 == 0:
        return [{"sku": "SOLD-OUT", "quantity": 2}]
    skus = random.sample(["MUG", "CUP", "PLATE", "BOWL"], k=random.randrange(1, 4))
    return [{"sku": sku, "quantity": random.randrange(1, 3)} for sku in skus]


async def place(
    shop: Shop,
    lines: Sequence[tuple[str, int]] = (("CUP", 1),),
    *,
    manual: bool = False,
    reference: str | None = None,
) -> str:
    """Place an order and return its id."""
    body = {
        "customer_id": "c-7",
        "reference": reference,
        "confirm": "manual" if manual else "auto",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
    }
    return str((await post(shop, "/v1/orders", body))["id"])


async def _cancel(shop: Shop, orders: Sequence[str]) -> None:
    for order in orders:
        await post(shop, f"/v1/orders/{order}/cancel", {"reason": "Changed my mind"})


async def _ship(shop: Shop, orders: Sequence[str]) -> None:
    for order in orders:
        await post(shop, f"/v1/orders/{order}/fulfillments", {"tracking": "1Z999AA10123456784"})
    await _until(lambda: _is(shop, orders[-1], "fulfilled"), "the orders are fulfilled")


async def _key(shop: Shop, name: str, scopes: Sequence[str]) -> str:
    body = {"name": name, "scopes": scopes}
    return str((await post(shop, "/v1/api-keys", body))["secret"])


async def post(shop: Shop, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for a change, which must be granted, and return the answer."""
    reply = await shop.http.post(path, json=body, headers={"Idempotency-Key": uuid4().hex})
    assert reply.is_success, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def _is(shop: Shop, order: str, status: str) -> bool:
    return bool((await shop.get(order))["status"] == status)


async def _given_up(shop: Shop, letters: int) -> bool:
    return len(await shop.items("/v1/ops/dead-letters")) == letters


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(1500):
        if await holds():
            return
        await anyio.sleep(0.02)
    pytest.fail(f"waited in vain until {what}")
