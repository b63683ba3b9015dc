"""Deaths around a commit, and what stands for them: a loop that ends where it stands."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import Transactions


class NotSettledError(AssertionError):
    """Something is still under way, or never came; the text says what."""


class Moment(StrEnum):
    """When a subscriber's process dies: around the commit of a batch's effects."""

    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit, before it is acknowledged"


class Death(BaseException):
    """Ends a loop where it stands. No handler's `except Exception` takes it for its own."""


class Crash:
    """A death to come."""

    def __init__(self, died: anyio.Event) -> None:
        self._died = died

    async def happened(self, *, within_s: float = 5.0) -> None:
        """Wait until the subscriber has died; raises NotSettledError when it has not in time."""
        with anyio.move_on_after(within_s):
            await self._died.wait()
            return
        raise NotSettledError(f"nobody died within {within_s:g} s: was it given an event?")


class Mortal:
    """A subscriber's way to the database, on which it can be made to die."""

    def __init__(self, database: Transactions) -> None:
        self._database = database
        self.dies: Moment | None = None

    @property
    def single_writer(self) -> bool:
        """As the database has it."""
        return self._database.single_writer

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session for reading."""
        return self._database.read()

    @asynccontextmanager
    async def write(self, *, first: str = "") -> AsyncIterator[AsyncSession]:
        """Open a transaction, and die around its commit when told to."""
        async with self._database.write(first=first) as session:
            yield session
            if self.dies is Moment.BEFORE_COMMIT:
                raise Death
        if self.dies is Moment.AFTER_COMMIT:
            raise Death
