"""Commands that end between two statements: people ask again, and nothing stays held for nobody.

Orders go the way to each of their ends, through the REST API and both modules' handlers, while the
process dies at points of it: after each statement, and before and after each commit. Whoever was
not answered sends the same again, and what was not acknowledged is delivered again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar, cast

from fastapi import FastAPI

from app.bus.event import Event
from app.db import Database
from app.invariants import INVARIANTS
from app.modules.orders.events import FulfillmentCancelRequested, OrderCancelled
from app.modules.orders.service.hold import expire_due
from app.settings import Settings
from tests.domain.post import Post
from tests.faults.checks import ORDERS_AT_REST, broken
from tests.faults.crash import Crash, CrashingDatabase, Trap
from tests.inventory.sample import stock
from tests.orders.rest import client_of, order_of
from tests.orders.sample import catalogue, overdue, stored
from tests.web.sample import Process

T = TypeVar("T")

STOCK = 100
ENDS = {
    "auto": "cancelled",
    "shipped": "fulfilled",
    "partly": "cancelled",
    "stayed": "cancelled",
    "short": "rejected",
    "held": "cancelled",
    "late": "expired",
    "undecided": "cancelled",
}
"""The orders of a day, and how each of them ends."""

_AT_REST = (
    {one.name: one.query for one in INVARIANTS}
    | ORDERS_AT_REST
    | {
        "nothing is held": "SELECT sku FROM stock_levels WHERE reserved <> 0 OR committed <> 0",
        "what was shipped has left": f"SELECT sku FROM stock_levels WHERE on_hand <> {STOCK - 3}",  # noqa: S608
        "every order is there once": (
            f"SELECT id FROM orders WHERE (SELECT COUNT(*) FROM orders) <> {len(ENDS)}"  # noqa: S608
        ),
    }
)


class Day:
    """A day in a shop whose process dies where the trap is set, or at every point of every step.

    Everywhere, a step is taken again and again, to die one point later each time. `app` is lent:
    to make one takes longer than a day.
    """

    def __init__(self, inner: Database, app: FastAPI, trap: Trap, *, everywhere: bool) -> None:
        self._inner = inner
        self._trap = trap
        self._everywhere = everywhere
        self._dying = cast("Any", CrashingDatabase(inner, trap, each_statement=True))
        self._client = client_of(app)
        self._post = _Post(inner, self._dying)
        self._ids: dict[str, str] = {}
        self.deaths = 0
        app.state.runtime = Process(settings=Settings.model_validate({}), database=self._dying)

    async def live(self) -> list[str]:
        """Let the day pass; return what is broken in the end."""
        try:
            await self._morning()
            await self._afternoon()
        finally:
            self._dying.forget()
            await self._client.aclose()
        wrong = [one.name for one in await broken(self._inner, _AT_REST)]
        for name, status in ENDS.items():
            ended = (await stored(self._inner, self._ids[name])).status
            if ended != status:
                wrong.append(f"{name} is {ended}")
        return wrong

    async def _morning(self) -> None:
        autos = {"auto": 2, "shipped": 2, "partly": 4, "stayed": 2, "short": STOCK + 1}
        batch = {"orders": [order_of(("MUG", quantity)) for quantity in autos.values()]}
        placed = await self._send("/v1/orders/batch", "autos", batch)
        for name, result in zip(autos, placed["results"], strict=True):
            self._ids[name] = result["order"]["id"]
        await self._place("held", 2, confirm="manual")
        await self._place("late", 2, confirm="manual")
        await self._deliver_all()
        await self._place("undecided", 5)
        await self._ask("undecided", "cancel")
        await self._overtake(OrderCancelled)
        await self._ask("held", "confirm")
        await self._ask("late", "extend", seconds=1800)
        await self._ask("auto", "cancel")
        await self._ask("shipped", "fulfillments")
        await self._ask("partly", "fulfillments", lines=[{"sku": "MUG", "quantity": 1}])
        unsent = await self._ask("stayed", "fulfillments")
        await self._ask("stayed", f"fulfillments/{unsent['id']}/cancel")
        await self._overtake(FulfillmentCancelRequested)
        await self._deliver_all()

    async def _afternoon(self) -> None:
        await overdue(self._inner, self._ids["late"])
        await self._step(self._sweep)
        for name in ("partly", "stayed", "held"):
            await self._ask(name, "cancel")
        await self._deliver_all()

    async def _step(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something as often as it takes, and return what comes of it."""
        for point in count(1):
            if self._everywhere:
                self._trap.set("crash", point)
            try:
                return await work()
            except Crash:
                self.deaths += 1
            finally:
                if self._everywhere:
                    self._trap.set()
        raise AssertionError

    async def _place(self, name: str, quantity: int, **more: object) -> None:
        body = order_of(("MUG", quantity), **more)
        self._ids[name] = (await self._send("/v1/orders", name, body))["id"]

    async def _ask(self, name: str, what: str, **body: object) -> dict[str, Any]:
        return await self._send(f"/v1/orders/{self._ids[name]}/{what}", f"{name} {what}", body)

    async def _send(self, path: str, key: str, body: Mapping[str, object]) -> dict[str, Any]:
        async def send() -> dict[str, Any]:
            headers = {"Idempotency-Key": f'"{key.replace(" ", "-")}"'}
            reply = await self._client.post(path, json=body, headers=headers)
            assert reply.is_success, reply.text
            answer: dict[str, Any] = reply.json()
            return answer

        return await self._step(send)

    async def _sweep(self) -> None:
        async with self._dying.write() as session:
            await expire_due(session)

    async def _deliver_all(self) -> None:
        await self._post.collect()
        while any(self._post.waiting.values()):
            for name, events in self._post.waiting.items():
                if events:
                    await self._step(partial(self._post.deliver, name, list(events)))
            await self._post.collect()

    async def _overtake(self, kind: type[Event]) -> None:
        await self._step(partial(self._post.overtake, kind))


class _Post(Post):
    """Delivers in the process that dies; what was said is collected by somebody who does not."""

    def __init__(self, inner: Database, dying: Any) -> None:  # noqa: ANN401 - enough of a Database
        super().__init__(inner)
        self._dying = dying

    async def deliver(self, name: str, events: Sequence[Event]) -> None:
        calm, self._database = self._database, self._dying
        try:
            await super().deliver(name, events)
        finally:
            self._database = calm


async def dying_everywhere(inner: Database, app: FastAPI) -> tuple[int, list[str]]:
    """Die at every point of every step of one day; return how often, and what is broken."""
    await _open(inner)
    day = Day(inner, app, Trap(), everywhere=True)
    wrong = await day.live()
    return day.deaths, wrong


async def dying_at(inner: Database, app: FastAPI, *at: int) -> tuple[int, list[str]]:
    """Die at these points of a day, each counted from the one before.

    Returns how many points were left after the last one, and what is broken.
    """
    await _open(inner)
    trap = Trap(*at)
    wrong = await Day(inner, app, trap, everywhere=False).live()
    return trap.seen, wrong


async def _open(inner: Database) -> None:
    await catalogue(inner, MUG=425)
    await stock(inner, MUG=STOCK)
    await Post(inner).open()
