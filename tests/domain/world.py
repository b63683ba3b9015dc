"""The world of a life: the real modules on a real database, beside the models of both."""

import json
import shutil
import sqlite3
from asyncio import Runner
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession

from app import db
from app.bus.event import Event
from app.errors import AppError
from app.invariants import INVARIANTS
from tests.domain.order_model import OrderModel
from tests.domain.post import Post
from tests.domain.stock_model import Refused, Said, StockModel
from tests.faults.checks import AT_REST, ORDERS_AT_REST
from tests.faults.crash_points import careless, remove
from tests.faults.protocol.clock import Clock
from tests.orders.sample import catalogue

SKUS = ("A", "B", "C")

Work: TypeAlias = Callable[[AsyncSession], Awaitable[Any]]

# What the models tell of, as the database has it: the columns of the key, then the others.
_ROWS = {
    "orders": ("id", "status, version, cancel_reason, reserved_at, expires_at"),
    "order_lines": ("order_id, sku", "quantity, fulfilling, fulfilled, available"),
    "fulfillments": ("id", "status"),
    "stock_levels": ("sku, location", "on_hand, reserved, committed"),
    "reservations": ("order_id", "state"),
    "reservation_lines": ("order_id, sku, location", "quantity, issued"),
    "issues": ("fulfillment_id", "state"),
}

_CHAIN = """
    SELECT id FROM (
        SELECT id, on_hand_after - d_on_hand AS on_hand, reserved_after - d_reserved AS reserved,
               committed_after - d_committed AS committed,
               LAG(on_hand_after, 1, 0) OVER level AS had,
               LAG(reserved_after, 1, 0) OVER level AS held,
               LAG(committed_after, 1, 0) OVER level AS promised
          FROM stock_movements WINDOW level AS (PARTITION BY sku, location ORDER BY id)
    ) AS ledger
    WHERE on_hand <> had OR reserved <> held OR committed <> promised
"""
ALWAYS = {one.name: one.query for one in INVARIANTS} | {"the ledger has no gap": _CHAIN}
"""What holds at every moment."""


class World:
    """Has the modules and their models do the same, and sees that they agree."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.path = Path(shutil.copy(template, folder / f"{uuid4().hex}.db"))
        self.clock = Clock()
        self.orders = OrderModel(self.clock._now)
        self.stock = StockModel()
        self._runner = Runner()
        self._database = db.sqlite(self.path)
        self.clock.rule(self._database.writer, self._database.reader)
        listen(self._database.writer.sync_engine, "connect", careless)
        self._reader = sqlite3.connect(self.path)
        self.post = Post(self._database)
        self._run(self.post.open())
        self._run(catalogue(self._database, **dict.fromkeys(SKUS, 425)))

    def _run(self, work: Any) -> Any:  # noqa: ANN401 - a coroutine, and what it returns
        return self._runner.run(work)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.orders.now = self.clock._now

    def ask(
        self,
        work: Work,
        expected: Callable[[], Any],
        then: Callable[[Any, Any], None] = lambda done, said: None,  # noqa: ARG005 - nothing more
    ) -> bool:
        """Have a module do something and its model the same; both do it, or both refuse it.

        `then` is told what each of them returned, and tells the model what only the module can
        know. Returns whether it was done.
        """
        self.advance(0.01)
        try:
            said = expected()
        except Refused as refusal:
            self._refused(work, refusal)
            return False
        then(self._run(self._written(work)), said)
        self.agree()
        return True

    def _refused(self, work: Work, expected: Refused) -> None:
        try:
            self._run(self._written(work))
        except AppError as error:
            told = {name: _sorted(error.extra[name]) for name in expected.members}
            members = {name: _sorted(member) for name, member in expected.members.items()}
            assert (error.code, told) == (expected.code, members)  # noqa: PT017 - both
        else:
            raise AssertionError(f"done, and it should be refused: {expected}")
        self.agree()

    async def _written(self, work: Work) -> Any:  # noqa: ANN401 - what work returns
        async with self._database.write() as session:
            return await work(session)

    def deliver(self, name: str, events: Sequence[Event]) -> None:
        """Have a module hear of events in one transaction, and its model too."""
        self.advance(0.01)
        self._run(self.post.deliver(name, events))
        model = self.stock if name == "inventory" else self.orders
        model.hear([(_word(event), event.model_dump()) for event in events])
        self.agree()

    def agree(self) -> None:
        """See that the modules said what their models say, and stand where those stand."""
        fresh = self.broken({"news": "SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 1"})
        said = [
            (_word(event), event.subject, event.model_dump(exclude=_APART))
            for event in (self._run(self.post.collect()) if fresh else ())
        ]
        expected = [*self.orders.said, *self.stock.said]
        self.orders.said, self.stock.said = [], []
        assert _by_subject(said) == _by_subject(expected)
        rows = {(table, key): values for table, key, values in self.rows()}
        for table, key, values in (*self.orders.rows(), *self.stock.rows()):
            assert (table, key, rows.pop((table, key), None)) == (table, key, values)
        assert rows == {}

    def rows(self) -> Iterable[tuple[str, Any, Any]]:
        """Read what the models tell of: table, key, columns."""
        for table, (key, columns) in _ROWS.items():
            width = key.count(",") + 1
            for row in self._reader.execute(f"SELECT {key}, {columns} FROM {table}"):  # noqa: S608 - ours
                yield table, _alone(row[:width]), _alone(row[width:])

    def broken(self, queries: Mapping[str, str]) -> list[str]:
        """Return which of these do not hold, and what breaks them."""
        return [
            f"{name}: {row[0]}"
            for name, query in queries.items()
            for row in self._reader.execute(query)
        ]

    def drain(self, *, backwards: bool = False) -> None:
        """Deliver all there is; backwards, the last first."""
        while any(self.post.waiting.values()):
            for name, events in self.post.waiting.items():
                if events:
                    self.deliver(name, events[::-1] if backwards else list(events))

    def see_all_again(self) -> None:
        """Deliver everything once more, the last first: nothing may come of it."""
        before = [*self.rows()]
        for name, events in self.post.had.items():
            if events:
                self.deliver(name, events[::-1])
        assert [*self.rows()] == before
        assert not any(self.post.waiting.values())

    def left_over(self) -> list[str]:
        """Return what is wrong now that nothing is on its way."""
        return self.broken({**ALWAYS, **AT_REST, **ORDERS_AT_REST})

    def close(self) -> None:
        """End everything and leave nothing behind."""
        self._reader.close()
        self._run(self._database.close())
        self._runner.close()
        remove(self.path)


_APART = {"id", "time"}


def _word(event: Event) -> str:
    return event.type.split(".")[1]


def _alone(row: Sequence[Any]) -> Any:  # noqa: ANN401 - a column, or several
    return tuple(row) if len(row) > 1 else row[0]


def _by_subject(said: Iterable[Said]) -> dict[str, list[tuple[str, str]]]:
    """Group what was said by whom it is about: between two subjects there is no order."""
    grouped: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for word, subject, told in said:
        data = {name: _sorted(value) for name, value in told.items() if value != subject}
        grouped[subject].append((word, json.dumps(data, sort_keys=True, default=str)))
    return grouped


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any member
    return sorted(value, key=str) if isinstance(value, list | tuple) else value
