"""Orders of a load: placed, followed until inventory has answered, and decided when held."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import anyio

from app.cli.load_lanes import each, together
from app.cli.load_tally import PENDING, REFUSED, RESERVED, Arrival, Fate, Tally
from app.cli.rest import Answer, Rest
from app.cli.shop_export import OrderLine

MAX_LINES = 1000

SWEEP_S = 0.5
# A lane waits for its order so long before it goes on with the next.
_WAIT_S = 1
# Up to so many orders are asked for one by one; more are looked up in the list of pending ones.
_FEW = 50
_PAGE = 200

CANCELLED_SHARE = 0.25
"""The part of the held orders that is cancelled instead of confirmed."""


@dataclass(frozen=True, slots=True)
class Decider:
    """Confirms or cancels at random, each order always alike for one seed."""

    seed: int

    def cancels(self, invoice: str) -> bool:
        """Tell whether the order for this invoice is to be cancelled."""
        chance = random.Random(f"{self.seed}:{invoice}")  # noqa: S311 - a choice, no secret
        return chance.random() < CANCELLED_SHARE


@dataclass(frozen=True, slots=True)
class Plan:
    """How to load: units to receive per SKU (None: plenty), who decides, and with what patience.

    `lanes` things are on their way at a time; pending orders are waited for timeout_s at most.
    """

    stock: int | None
    decider: Decider | None
    lanes: int
    timeout_s: float


class Follow:
    """Places the orders of a file, and sees each through."""

    def __init__(self, rest: Rest, tally: Tally, plan: Plan) -> None:
        self._rest = rest
        self._tally = tally
        self._plan = plan
        self._wait_s = _WAIT_S
        self._open: dict[str, tuple[Fate, float]] = {}
        self._count_settled: Callable[[], None] = lambda: None

    async def run(self, posted: Callable[[], None], settled: Callable[[], None]) -> None:
        """Do all orders; the arguments are called for each as it gets so far."""
        self._count_settled = settled
        all_posted = anyio.Event()
        async with together() as group:
            group.start_soon(self._sweep, all_posted)
            await each(self._tally.fates, self._place, lanes=self._plan.lanes, done=posted)
            all_posted.set()

    async def _place(self, fate: Fate) -> None:
        """Post one order, and leave it to the sweep when it is not decided soon."""
        invoice = fate.invoice
        lines = _order_lines(invoice.lines)
        if len(lines) > MAX_LINES:
            said = f"{len(lines)} SKUs in one order; {MAX_LINES} is the most."
            return self._refuse(fate, "too_many_lines", said)
        manual = self._plan.decider is not None
        started = time.perf_counter()
        answer = await self._rest.send(
            "POST",
            "/v1/orders",
            json={
                "customer_id": invoice.customer_id,
                "reference": self._tally.reference(invoice.number),
                "lines": lines,
                "confirm": "manual" if manual else "auto",
            },
            # Another key, so that the other way finds the order there by its reference.
            key=self._tally.key("manual order" if manual else "order", invoice.number),
            wait_s=self._wait_s,
        )
        known = "id" if answer.ok else "existing_id"
        fate.order_id = str(answer.body.get(known) or "")
        if not fate.order_id:
            return self._refuse(fate, answer.code, answer.detail)
        fate.arrival, fate.status = arrival_of(answer), PENDING
        if not answer.ok:
            answer = await self._get(fate)
        await self._see(fate, started, answer)
        if fate.status == PENDING:
            # While nothing is decided, waiting would only keep the other orders from being posted.
            self._wait_s = 0
            self._open[fate.order_id] = (fate, started)
        return None

    def _refuse(self, fate: Fate, code: str, detail: str) -> None:
        fate.status, fate.code, fate.detail = REFUSED, code, detail
        self._count_settled()

    async def _get(self, fate: Fate) -> Answer:
        return await self._rest.send("GET", _path(fate))

    async def _see(self, fate: Fate, started: float, answer: Answer) -> None:
        """Take in how an order stands, and decide it when it is held for us to decide."""
        status = str(answer.body.get("status") or PENDING) if answer.ok else PENDING
        if status == PENDING:
            return
        shortages = answer.body.get("shortages")
        fate.shortages = shortages if isinstance(shortages, list) else []
        # An order of an earlier run settled long ago: its time would be of no use.
        if fate.arrival is Arrival.POSTED:
            fate.settled_ms = round((time.perf_counter() - started) * 1000, 1)
        if status == RESERVED and self._plan.decider is not None:
            status = await self._decide(fate, self._plan.decider)
        fate.status = status
        self._count_settled()

    async def _decide(self, fate: Fate, decider: Decider) -> str:
        """Confirm or cancel a held order, and return the status it has then."""
        number = fate.invoice.number
        action = "cancel" if decider.cancels(number) else "confirm"
        body = {"reason": "chosen at random by load-orders"} if action == "cancel" else {}
        answer = await self._rest.send(
            "POST", f"{_path(fate)}/{action}", json=body, key=self._tally.key(action, number)
        )
        if answer.ok:
            return str(answer.body.get("status") or RESERVED)
        # Somebody else was quicker, or its time was up; or the key may not decide.
        fate.code, fate.detail = answer.code, answer.detail
        return str(answer.body.get("current_status") or RESERVED)

    async def _sweep(self, all_posted: anyio.Event) -> None:
        """Follow the orders that outlasted their lane, until none is left or time is up."""
        with anyio.CancelScope() as waiting:
            while self._open or not all_posted.is_set():
                if all_posted.is_set():
                    waiting.deadline = min(
                        waiting.deadline, anyio.current_time() + self._plan.timeout_s
                    )
                    await anyio.sleep(SWEEP_S)
                else:
                    with anyio.move_on_after(SWEEP_S):
                        await all_posted.wait()
                await each(await self._maybe_settled(), self._look_late, lanes=4)

    async def _maybe_settled(self) -> list[str]:
        """Return the open orders that the server does not list as pending."""
        unlisted: dict[object, None] = dict.fromkeys(self._open)
        cursor: object = None
        while len(unlisted) > _FEW or (cursor and unlisted):
            params: dict[str, Any] = {"status": PENDING, "limit": _PAGE}
            if cursor:
                params["cursor"] = cursor
            page = (await self._rest.send("GET", "/v1/orders", params=params)).body
            for order in page.get("items") or []:
                unlisted.pop(order.get("id") if isinstance(order, dict) else None, None)
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return [order_id for order_id in self._open if order_id in unlisted]

    async def _look_late(self, order_id: str) -> None:
        fate, started = self._open[order_id]
        await self._see(fate, started, await self._get(fate))
        if fate.status != PENDING:
            fate.seen_late = True
            del self._open[order_id]
            self._wait_s = _WAIT_S


def _path(fate: Fate) -> str:
    return f"/v1/orders/{quote(fate.order_id, safe='')}"


def _order_lines(lines: list[OrderLine]) -> list[dict[str, Any]]:
    """Return the lines as they stand, duplicates and all; merged only where they are too many."""
    if len(lines) <= MAX_LINES:
        return [{"sku": line.sku, "quantity": line.quantity} for line in lines]
    merged = Counter[str]()
    for line in lines:
        merged[line.sku] += line.quantity
    return [{"sku": sku, "quantity": quantity} for sku, quantity in merged.items()]


def arrival_of(answer: Answer) -> Arrival:
    """Tell a thing of this run from one of an earlier run.

    A repeat that is answered from memory after a lost reply is our own.
    """
    repeated = answer.replayed or not answer.ok
    return Arrival.THERE if repeated and answer.tries == 1 else Arrival.POSTED
