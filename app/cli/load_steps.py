"""The steps of a load: products, stock, orders, and following every order until it settles."""

import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
from anyio.abc import TaskGroup
from rich.progress import Progress

from app.cli.load_report import PENDING, REFUSED, Arrival, Fate, Refusal, Tally
from app.cli.rest import Answer, Rest, ServerError
from app.cli.shop_export import OrderLine, Product

Thing = TypeVar("Thing")

CURRENCY = "GBP"
MAX_LINES = 1000
MAX_QUANTITY = 1_000_000

POLL_S = 0.02
SWEEP_S = 0.5
# After so long an order is left to the sweep.
_WATCH_S = 1.0
# Up to so many orders are asked for one by one; more are looked up in the list of pending ones.
_FEW = 50
_PAGE = 200


class Load:
    """One load of one file; its tally is right at every moment, so that it can stop at any."""

    def __init__(
        self, rest: Rest, tally: Tally, *, stock: int | None, lanes: int, timeout_s: float
    ) -> None:
        self.tally = tally
        self.timeout_s = timeout_s
        self.begun = False
        self._rest = rest
        self._stock = stock
        self._lanes = lanes
        self._watch_s = _WATCH_S
        self._usual_s = 0.0
        self._open: dict[str, tuple[Fate, float]] = {}
        self._count_settled: Callable[[], None] = lambda: None

    async def run(self, progress: Progress) -> None:
        """Do all steps; raises ServerError when the server does not answer, or no longer."""
        products = list(self.tally.export.products.values())
        receipts = list(enumerate(_receipts(products, self._stock)))
        fates = self.tally.fates
        async with self._rest:
            await self._rest.probe()
            self.begun = True
            with progress:
                bar = _bar(progress, "products", len(products))
                await _each(products, self._register, lanes=self._lanes, done=bar)
                # One after the other: they are few, and each is one transaction over many rows.
                bar = _bar(progress, "receipts", len(receipts))
                await _each(receipts, self._receive, lanes=1, done=bar)
                bar = _bar(progress, "orders", len(fates))
                self._count_settled = _bar(progress, "settled", len(fates))
                all_posted = anyio.Event()
                async with _lanes() as group:
                    group.start_soon(self._sweep, all_posted)
                    await _each(fates, self._place, lanes=self._lanes, done=bar)
                    all_posted.set()

    async def _register(self, product: Product) -> None:
        """Put one product; the server's price counts, so lines are posted without theirs."""
        price = {"amount": f"{product.price:.2f}", "currency": CURRENCY}
        answer = await self._rest.send(
            "PUT",
            f"/v1/products/{quote(product.sku, safe='')}",
            json={"title": product.title or product.sku, "unit_price": price},
        )
        if answer.ok:
            self.tally.products += 1
        else:
            self._not_taken(f"product {product.sku}", answer)

    async def _receive(self, receipt: tuple[int, list[dict[str, Any]]]) -> None:
        """Receive one chunk of stock, unless an earlier run of this file did."""
        number, lines = receipt
        digest = self.tally.export.digest
        answer = await self._rest.send(
            "POST",
            "/v1/inventory/receipts",
            json={"reference": f"{digest[:16]}:{number}", "lines": lines},
            key=_key(digest, "receipt", number),
        )
        # A key reused for another body means another --stock: the first run's counts.
        if answer.code in {"duplicate_reference", "idempotency_key_reused"}:
            self.tally.receipts[Arrival.THERE] += 1
        elif answer.ok:
            self.tally.receipts[_arrival(answer)] += 1
        else:
            self._not_taken(f"receipt {number}", answer)

    def _not_taken(self, what: str, answer: Answer) -> None:
        self.tally.refusals.append(Refusal(what, answer.code, answer.detail))

    async def _place(self, fate: Fate) -> None:
        """Post one order and follow it for a while."""
        invoice = fate.invoice
        lines = _order_lines(invoice.lines)
        if len(lines) > MAX_LINES:
            said = f"{len(lines)} SKUs in one order; {MAX_LINES} is the most."
            return self._refuse(fate, "too_many_lines", said)
        digest = self.tally.export.digest
        started = time.perf_counter()
        answer = await self._rest.send(
            "POST",
            "/v1/orders",
            json={
                "customer_id": invoice.customer_id,
                "reference": f"{digest[:16]}:{invoice.number}",
                "lines": lines,
            },
            key=_key(digest, "order", invoice.number),
        )
        known = "id" if answer.ok else "existing_id"
        fate.order_id = str(answer.body.get(known) or "")
        if not fate.order_id:
            return self._refuse(fate, answer.code, answer.detail)
        fate.arrival, fate.status = _arrival(answer), PENDING
        await self._watch(fate, started)
        return None

    def _refuse(self, fate: Fate, code: str, detail: str) -> None:
        fate.status, fate.code, fate.detail = REFUSED, code, detail
        self._count_settled()

    async def _watch(self, fate: Fate, started: float) -> None:
        """Look at an order until it settles or outlasts this lane's patience.

        Looking costs the server more than settling does, so the first look waits for half the
        time that orders usually take, and later ones come after a tenth of the time so far, at
        least POLL_S. Patience is shared: while nothing settles it shrinks, so that posting goes on.
        """
        since = time.perf_counter()
        if fate.arrival is Arrival.THERE:
            await self._look(fate, started)
        pause_s = max(POLL_S, self._usual_s / 2)
        while fate.status == PENDING and (waited_s := time.perf_counter() - since) < self._watch_s:
            await anyio.sleep(pause_s)
            await self._look(fate, started)
            pause_s = max(POLL_S, waited_s / 10)
        if fate.status == PENDING:
            self._watch_s = max(POLL_S, self._watch_s / 2)
            self._open[fate.order_id] = (fate, started)
            return
        self._watch_s = min(_WATCH_S, self._watch_s * 2)
        if fate.arrival is Arrival.POSTED:
            self._usual_s += (time.perf_counter() - since - self._usual_s) / 8

    async def _look(self, fate: Fate, started: float) -> None:
        """Ask for one order; what is not an order leaves it pending."""
        answer = await self._rest.send("GET", f"/v1/orders/{quote(fate.order_id, safe='')}")
        status = str(answer.body.get("status") or PENDING) if answer.ok else PENDING
        if status == PENDING:
            return
        fate.status = status
        shortages = answer.body.get("shortages")
        fate.shortages = shortages if isinstance(shortages, list) else []
        # An order of an earlier run settled long ago: its time would be of no use.
        if fate.arrival is Arrival.POSTED:
            fate.settled_ms = round((time.perf_counter() - started) * 1000, 1)
        self._count_settled()

    async def _sweep(self, all_posted: anyio.Event) -> None:
        """Follow the orders that outlasted their lane, until none is left or time is up."""
        with anyio.CancelScope() as waiting:
            while self._open or not all_posted.is_set():
                if all_posted.is_set():
                    waiting.deadline = min(waiting.deadline, anyio.current_time() + self.timeout_s)
                    await anyio.sleep(SWEEP_S)
                else:
                    with anyio.move_on_after(SWEEP_S):
                        await all_posted.wait()
                await _each(await self._maybe_settled(), self._look_late, lanes=4)

    async def _maybe_settled(self) -> list[str]:
        """Return the open orders that the server does not list as pending."""
        unlisted: dict[object, None] = dict.fromkeys(self._open)
        cursor: object = None
        while len(unlisted) > _FEW or (cursor and unlisted):
            params = {"status": PENDING, "limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            page = (await self._rest.send("GET", "/v1/orders", params=params)).body
            for order in page.get("items") or []:
                unlisted.pop(order.get("id") if isinstance(order, dict) else None, None)
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return [order_id for order_id in self._open if order_id in unlisted]

    async def _look_late(self, order_id: str) -> None:
        fate, started = self._open[order_id]
        await self._look(fate, started)
        if fate.status != PENDING:
            fate.seen_late = True
            del self._open[order_id]


def _receipts(products: list[Product], stock: int | None) -> Iterator[list[dict[str, Any]]]:
    """Yield receipts of at most MAX_LINES lines: stock of each, or twice what the file asks for."""
    wanted = [
        (p.sku, min(2 * p.demand, MAX_QUANTITY) if stock is None else stock) for p in products
    ]
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in wanted if quantity]
    for start in range(0, len(lines), MAX_LINES):
        yield lines[start : start + MAX_LINES]


def _order_lines(lines: list[OrderLine]) -> list[dict[str, Any]]:
    """Return the lines as they stand, duplicates and all; merged only where they are too many."""
    if len(lines) <= MAX_LINES:
        return [{"sku": line.sku, "quantity": line.quantity} for line in lines]
    merged = Counter[str]()
    for line in lines:
        merged[line.sku] += line.quantity
    return [{"sku": sku, "quantity": quantity} for sku, quantity in merged.items()]


def _key(digest: str, kind: str, name: object) -> str:
    """Return the Idempotency-Key of one thing in one file: the same in every run."""
    return hashlib.sha256(f"{digest}\n{kind}\n{name}".encode()).hexdigest()


def _arrival(answer: Answer) -> Arrival:
    """Tell a thing of this run from one of an earlier run.

    A repeat that is answered from memory after a lost reply is our own.
    """
    repeated = answer.replayed or not answer.ok
    return Arrival.THERE if repeated and answer.tries == 1 else Arrival.POSTED


def _bar(progress: Progress, name: str, total: int) -> Callable[[], None]:
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)


async def _each(
    things: Iterable[Thing],
    do: Callable[[Thing], Awaitable[None]],
    *,
    lanes: int,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Do every thing, so many at a time; the first ServerError stops them all."""
    waiting = iter(things)

    async def lane() -> None:
        for thing in waiting:
            await do(thing)
            done()

    async with _lanes() as group:
        for _ in range(lanes):
            group.start_soon(lane)


@asynccontextmanager
async def _lanes() -> AsyncIterator[TaskGroup]:
    """Open a task group that raises one ServerError instead of a group of them."""
    trouble: list[BaseException] = []
    try:
        async with anyio.create_task_group() as group:
            yield group
    except* ServerError as errors:
        trouble = [*errors.exceptions]
    if trouble:
        raise trouble[0]
