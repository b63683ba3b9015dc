"""Solitude: while a suspect runs, no other handler of this process does.

A process that dies then died of the suspect. In company any of those under way may be the one, and
an innocent would become a dead letter by the company it kept.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Solitude:
    """Shared by the loops of a process: handlers run in company, a suspect alone.

    Who waits to be alone goes before new company, so that a busy stream cannot keep it out. The
    wait is bounded by the timeouts of the handlers under way.
    """

    def __init__(self) -> None:
        self._change = anyio.Condition()
        self._company = 0
        self._wanted = 0
        self._alone = False

    @asynccontextmanager
    async def company(self) -> AsyncIterator[None]:
        """Run beside others, once nobody is alone or waits to be."""
        async with self._change:
            while self._alone or self._wanted:
                await self._change.wait()
            self._company += 1
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._change:
                    self._company -= 1
                    self._change.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Run when nobody else does, and keep others from it."""
        async with self._change:
            self._wanted += 1
            try:
                while self._alone or self._company:
                    await self._change.wait()
                self._alone = True
            finally:
                self._wanted -= 1
                self._change.notify_all()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._change:
                    self._alone = False
                    self._change.notify_all()
