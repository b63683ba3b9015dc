"""Points where a process can die, stall or lose an engine: around each durable step it takes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
from sqlalchemy.event import listen, remove
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.append import Appended
from app.bus.errors import StreamUnavailableError
from app.bus.stream import Entry, Stream
from app.db import Database
from app.errors import AppError
from app.group_commit import Item, Outcome, Work
from tests.bus.owing import passing_trouble

Kind = Literal["crash", "trouble", "freeze"]


class Crash(BaseException):
    """The process is gone at this point; no handler of ours may catch it."""


class Gate:
    """Where a frozen process stands, until it goes on or is killed there."""

    def __init__(self) -> None:
        self._open = anyio.Event()
        self._killed = False

    async def wait(self) -> None:
        """Stand still; raises Crash when killed meanwhile."""
        await self._open.wait()
        if self._killed:
            raise Crash

    def open(self, *, kill: bool = False) -> None:
        """Let the process go on, or kill it where it stands."""
        self._killed = kill
        self._open.set()


class Trap:
    """Counts the points a life comes to, and strikes at those it is set for, one by one.

    A crash ends the life. Trouble is what the engine at this point raises when it is away. What
    freezes stands at `gate`, once `frozen` is set; never inside a transaction, where on SQLite
    everybody else would wait for it.
    """

    def __init__(self, *at: int) -> None:
        self.set("crash", *at)

    def set(self, kind: Kind = "crash", *at: int) -> None:
        """Strike at these points from now on, each counted from the one before."""
        self.seen = 0
        self.kind: Kind = kind
        self.gate: Gate | None = None
        self.frozen = anyio.Event()
        self._at = list(at)

    def pass_by(self) -> None:
        """Come to a point where nothing can be waited for, so that only a crash strikes there."""
        self.seen += 1
        if self._at and self.seen >= self._at[0] and self.kind == "crash":
            self._at.pop(0)
            self.seen = 0
            raise Crash

    async def step(self, engine: Literal["database", "stream"], *, holds: bool = False) -> None:
        """Come to a point beside an engine; holds says that a transaction is open."""
        self.seen += 1
        if not self._at or self.seen < self._at[0] or (holds and self.kind == "freeze"):
            return
        self._at.pop(0)
        self.seen = 0
        if self.kind == "crash":
            raise Crash
        if self.kind == "trouble":
            raise passing_trouble() if engine == "database" else StreamUnavailableError("away")
        self.gate = gate = Gate()
        self.frozen.set()
        await gate.wait()


class CrashingDatabase:
    """A database whose caller may be struck before and after each commit that changes something.

    When wide, also after each read and before each transaction; with each_statement, it may crash
    after each statement of a transaction, whoever awaits it.
    """

    def __init__(
        self, inner: Database, trap: Trap, *, wide: bool = False, each_statement: bool = False
    ) -> None:
        self.single_writer = inner.single_writer
        self._inner = inner
        self._trap = trap
        self._wide = wide
        self._each_statement = each_statement
        self._counts = False
        self._changed = False
        listen(inner.writer.sync_engine, "after_cursor_execute", self._executed)

    def forget(self) -> None:
        """Watch the inner database no more."""
        remove(self._inner.writer.sync_engine, "after_cursor_execute", self._executed)

    @asynccontextmanager
    async def write(
        self, *, lock_s: float | None = None, first: str = ""
    ) -> AsyncIterator[AsyncSession]:
        if self._wide:
            await self._trap.step("database")
        async with self._inner.write(lock_s=lock_s, first=first) as session:
            self._changed, self._counts = False, self._each_statement
            try:
                yield session
            finally:
                self._counts = False
            changed = self._changed
            if changed:
                await self._trap.step("database", holds=True)
        if changed:
            await self._trap.step("database")

    async def together(self, work: Work[Item, Outcome], item: Item, *, weight: int = 1) -> Outcome:
        """Write an item by itself: what strikes its transaction is to strike whoever asks."""
        del weight
        async with self.write() as session:
            [outcome] = await work(session, [item])
            if isinstance(outcome, AppError):
                raise outcome
        return outcome

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with self._inner.read() as session:
            yield session
        if self._wide:
            await self._trap.step("database")

    def _executed(self, connection: object, cursor: Any, statement: str, *rest: object) -> None:  # noqa: ANN401 - the hook's signature
        del connection, rest
        self._changed |= not statement.startswith(("SELECT", "PRAGMA")) and cursor.rowcount != 0
        # The engine is the inner database's, which others use as well.
        if self._counts:
            self._trap.pass_by()


class CrashingStream(Stream):
    """A stream whose caller may be struck before and after each change of it."""

    def __init__(self, url: str, prefix: str, trap: Trap) -> None:
        super().__init__(url, prefix=prefix)
        self._trap = trap

    async def append(self, events: Sequence[tuple[str, str]]) -> Appended:
        await self._trap.step("stream")
        appended = await super().append(events)
        await self._trap.step("stream")
        return appended

    async def ensure_groups(self, contexts: Sequence[str], group: str) -> None:
        await self._trap.step("stream")
        await super().ensure_groups(contexts, group)

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        await self._trap.step("stream")
        await super().ack(group, entries)
        await self._trap.step("stream")
