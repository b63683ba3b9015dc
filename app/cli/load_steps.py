"""The steps of a load: products, stock, what came and went unsold, and then the orders."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from rich.progress import Progress

from app.cli.load_follow import Follow, Plan, arrival_of
from app.cli.load_lanes import bar, each
from app.cli.load_tally import BOOKED, REFUSED, Arrival, Paper, Refusal, Tally
from app.cli.rest import Answer, Rest
from app.cli.shop_export import Cause, Export, Product

CURRENCY = "GBP"
MAX_QUANTITY = 1_000_000

_RECEIPT_LINES = 1000

_REASONS = {
    Cause.RETURNED: "returned: cancelled by invoice {}",
    Cause.FOUND: "found: invoice {}",
    Cause.WRITTEN_OFF: "written off: invoice {}",
    Cause.GIVEN_AWAY: "given away: invoice {}",
}


class Load:
    """One load of one file; its tally is right at every moment, so that it can stop at any.

    What came and went unsold is booked before the orders: so they are decided on what is really
    there, and whether there is enough to write off depends on no other order of the file. A run
    that was killed and starts again does what is left, and ends the same.
    """

    def __init__(self, rest: Rest, tally: Tally, plan: Plan) -> None:
        self.tally = tally
        self.plan = plan
        self.begun = False
        self._rest = rest

    async def run(self, progress: Progress) -> None:
        """Do all steps; raises ServerError when the server does not answer, or no longer."""
        tally = self.tally
        products = list(tally.export.products.values())
        receipts = list(enumerate(_receipts(tally.export, self.plan.stock)))
        incoming = [paper for paper in tally.papers if paper.comes_in]
        outgoing = [paper for paper in tally.papers if not paper.comes_in]
        orders = Follow(self._rest, tally, self.plan)
        lanes = self.plan.lanes
        async with self._rest:
            await self._rest.probe()
            self.begun = True
            with progress:
                done = bar(progress, "products", len(products))
                await each(products, self._register, lanes=lanes, done=done)
                # One after the other: they are few, and each is one transaction over many rows.
                done = bar(progress, "receipts", len(receipts))
                await each(receipts, self._receive, lanes=1, done=done)
                done = bar(progress, "adjusted", len(tally.papers))
                await each(incoming, self._adjust, lanes=lanes, done=done)
                # In the file's order: where stock is short, the first are served in every run.
                await each(outgoing, self._adjust, lanes=1, done=done)
                total = len(tally.fates)
                await orders.run(bar(progress, "orders", total), bar(progress, "settled", total))

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
        answer = await self._rest.send(
            "POST",
            "/v1/inventory/receipts",
            json={"reference": self.tally.reference(number), "lines": lines},
            key=self.tally.key("receipt", number),
        )
        # A key reused for another body means another --stock: the first run's counts.
        if answer.code in {"duplicate_reference", "idempotency_key_reused"}:
            self.tally.receipts[Arrival.THERE] += 1
        elif answer.ok:
            self.tally.receipts[arrival_of(answer)] += 1
        else:
            self._not_taken(f"receipt {number}", answer)

    def _not_taken(self, what: str, answer: Answer) -> None:
        self.tally.refusals.append(Refusal(what, answer.code, answer.detail))

    async def _adjust(self, paper: Paper) -> None:
        """Book one adjustment, unless an earlier run of this file did; a refusal is reported."""
        # The first row it stands for, because an invoice can be on several papers.
        name = f"{paper.invoice}:{paper.lines[0].at}"
        answer = await self._rest.send(
            "POST",
            "/v1/inventory/adjustments",
            json={
                "reason": _REASONS[paper.cause].format(paper.invoice),
                "reference": self.tally.reference(name),
                "lines": [{"sku": line.sku, "delta": line.delta} for line in paper.lines],
            },
            key=self.tally.key("adjustment", name),
        )
        if answer.ok or answer.code == "duplicate_reference":
            paper.status, paper.arrival = BOOKED, arrival_of(answer)
        else:
            paper.status, paper.code, paper.detail = REFUSED, answer.code, answer.detail


def _receipts(export: Export, stock: int | None) -> Iterator[list[dict[str, Any]]]:
    """Yield receipts: stock of each SKU that goes out, or twice what the file asks for."""
    wanted = [
        (sku, min(2 * units, MAX_QUANTITY) if stock is None else stock)
        for sku, units in export.demand.items()
    ]
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in wanted if quantity]
    for start in range(0, len(lines), _RECEIPT_LINES):
        yield lines[start : start + _RECEIPT_LINES]
