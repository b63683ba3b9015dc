"""The people of the demo: customers who order all the time, and a clerk who minds the shop."""

import random
from collections import Counter
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import anyio

from app.cli.rest import Answer, Rest, ServerError

RECEIPTS = "receipts"
HOLD_S = 20
RECONCILE_AFTER_S = 2.0

LAMP = "STAR-LAMP"
MUG = "MUG"
PRODUCTS = {
    MUG: ("Mug, white", "4.25", 900),
    "TEAPOT": ("Teapot, cast iron", "38.00", 300),
    "SCARF": ("Scarf, lambswool", "29.50", 400),
    "CANDLE": ("Candle, beeswax", "7.20", 800),
    "NOTEBOOK": ("Notebook, dotted", "11.90", 600),
    "PUZZLE": ("Puzzle, 1000 pieces", "17.50", 250),
    LAMP: ("Star lamp, brass", "64.00", 25),
}
_LOW = 60
_RESTOCK = 300
_SEED = 7
_ORDINARY = "c-"


class Crowd:
    """Customers and clerk, over REST; `placed` is every order that anybody placed."""

    def __init__(self, rest: Rest, orders_per_s: float) -> None:
        self._rest = rest
        self._orders_per_s = orders_per_s
        self._random = random.Random(_SEED)  # noqa: S311 - a story, no secret
        self.placed: list[str] = []
        self.clerk: Counter[str] = Counter()
        self.ended = False

    async def open_shop(self) -> None:
        """Register the products, receive their stock and set the marks of what is low."""
        for sku, (title, price, units) in PRODUCTS.items():
            money = {"amount": price, "currency": "GBP"}
            await self.must("PUT", f"/v1/products/{sku}", {"title": title, "unit_price": money})
            receipt = {"lines": [{"sku": sku, "quantity": units}], "reference": f"PO-{sku}"}
            await self.must("POST", "/v1/inventory/receipts", receipt)
            if sku != LAMP:
                mark = {"low_stock_at": _LOW, "safety_stock": 0}
                await self.must("PUT", f"/v1/inventory/items/{sku}", mark)

    async def order(
        self, lines: dict[str, int], *, customer: str | None = None, wait_s: int = 0, **more: str
    ) -> dict[str, Any]:
        """Place an order and return it as answered, after wait_s seconds if it is pending then.

        Raises ServerError when it is refused.
        """
        body = {
            "customer_id": customer or f"{_ORDINARY}{self._random.randint(1, 40)}",
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
            **more,
        }
        answer = await self._rest.send(
            "POST", "/v1/orders", json=body, key=uuid4().hex, wait_s=wait_s
        )
        if not answer.ok:
            raise ServerError(f"An order was refused: {answer.detail or answer.code}")
        self.placed.append(str(answer.body["id"]))
        return answer.body

    async def buy(self) -> None:
        """Order something ordinary again and again, until the story has ended."""
        ordinary = [sku for sku in PRODUCTS if sku != LAMP]
        while not self.ended:
            skus = self._random.sample(ordinary, self._random.choice([1, 1, 2, 3]))
            await self.order({sku: self._random.randint(1, 4) for sku in skus})
            await anyio.sleep(self._random.expovariate(self._orders_per_s))

    async def mind(self, every_s: float = 1.0) -> None:
        """Ship some of the confirmed orders, cancel a few, and fill up what is low."""
        while not self.ended:
            params = {"status": "confirmed", "limit": 20}
            page = await self._rest.send("GET", "/v1/orders", params=params)
            # Those of the acts are left alone, so that they stay as they were told.
            found = [
                str(order["id"])
                for order in page.body.get("items", [])
                if str(order["customer_id"]).startswith(_ORDINARY)
            ]
            for order_id in self._random.sample(found, min(len(found), 3)):
                if self._random.random() < 0.2:  # noqa: PLR2004 - one in five
                    await self._decide(order_id, "cancel", {"reason": "Changed my mind"})
                else:
                    tracking = {"tracking": f"1Z{self._random.randrange(10**9):09}"}
                    await self._decide(order_id, "fulfillments", tracking)
            await self._fill_up()
            await anyio.sleep(every_s)

    async def decide(self, order_id: str, action: str) -> Answer:
        """Confirm or cancel an order; somebody else may have been quicker."""
        return await self._rest.send("POST", f"{path(order_id)}/{action}", json={})

    async def found(self) -> dict[str, str]:
        """Return the status of every order there is, by its id."""
        found: dict[str, str] = {}
        params: dict[str, Any] = {"limit": 200}
        while True:
            page = (await self._rest.send("GET", "/v1/orders", params=params)).body
            found |= {str(order["id"]): str(order["status"]) for order in page["items"]}
            if not page["next_cursor"]:
                return found
            params["cursor"] = page["next_cursor"]

    async def must(self, method: str, where: str, body: dict[str, Any] | None = None) -> Answer:
        """Send what this shop cannot refuse; raises ServerError when it does."""
        answer = await self._rest.send(method, where, json=body)
        if not answer.ok:
            msg = f"{method} {where} was refused: {answer.detail or answer.code}"
            raise ServerError(msg)
        return answer

    async def _decide(self, order_id: str, action: str, body: dict[str, str]) -> None:
        answer = await self._rest.send("POST", f"{path(order_id)}/{action}", json=body)
        self.clerk[action] += answer.ok

    async def _fill_up(self) -> None:
        page = await self._rest.send("GET", "/v1/inventory/levels", params={"low": "true"})
        lines = [
            {"sku": level["sku"], "quantity": _RESTOCK}
            for level in page.body.get("items", [])
            if level["sku"] != LAMP
        ]
        if lines:
            await self._rest.send("POST", "/v1/inventory/receipts", json={"lines": lines})


def path(order_id: str) -> str:
    """Return where an order is found."""
    return f"/v1/orders/{quote(order_id, safe='')}"
