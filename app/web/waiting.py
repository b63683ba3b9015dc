"""Waiting for something to change: `Prefer: wait=N`, and whatever else follows a version.

However many requests wait, the process looks once for all of them, and between two looks nobody
holds a connection to the database.
"""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import anyio
import structlog
from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import is_transient
from app.bus.wakeup import WakeUp
from app.db import Database
from app.web import state
from app.web.deadline import LONGEST_WAIT_S
from app.web.heads import heads

Look: TypeAlias = Callable[[AsyncSession, Collection[str]], Awaitable[Mapping[str, int]]]
"""Reads the versions of things, by key, in one statement; what is not there is left out."""

MOST_WAITING = 1000
"""How many requests wait in one process, streams included; the next are answered at once."""

PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": (
        "`wait=N`: answer once it is decided, or after N seconds as it then stands; "
        f"N is {LONGEST_WAIT_S} at most. `respond-async`: answer at once. A process in which "
        f"{MOST_WAITING} wait already answers at once too, and without `Preference-Applied`."
    ),
    "example": "wait=5",
}
"""A parameter for OpenAPI: `openapi_extra={"parameters": [PREFER]}`."""

# RFC 7240: names in any case, a value bare or in quotes; what follows a semicolon is a detail. No
# part gives back what it took (`*+`), or a header of blanks would be tried in every division.
_PREFERENCE = re.compile(
    r'\s*+([!#-\'*+.^_`|~0-9A-Za-z-]++)\s*+(?:=\s*+"?+([^",;]*+)"?+\s*+)?+(?:;[^,]*+)?+'
)

_SHORTEST_S = 0.02
_LONGEST_S = 0.5
_SLOWER = 1.5
_APART_S = 0.01
_REST = 2  # times as long as the look before it took
_MOST_DIGITS = 6

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Preference:
    """What a client prefers (RFC 7240): to wait for so many seconds, or not to."""

    wait_s: int | None = None
    is_async: bool = False

    @property
    def applied(self) -> dict[str, str]:
        """What the answer's headers say of it; nothing without a preference."""
        if self.wait_s is not None:
            return {"Preference-Applied": f"wait={self.wait_s}"}
        return {"Preference-Applied": "respond-async"} if self.is_async else {}


_NO_PREFERENCE = Preference()


def preference(request: Request) -> Preference:
    """Read the Prefer headers. What is not understood is passed over, as the RFC asks.

    `respond-async, wait=10` is to wait for ten seconds at most: without waiting there is nothing
    that `wait` could mean. While MOST_WAITING wait already, nobody else is heard who wants to: ask
    just before the wait would begin.
    """
    given = heads(request.scope).get(b"prefer")
    if not given:
        return _NO_PREFERENCE
    named: dict[str, str] = {}
    for name, value in _preferences([header.decode("latin-1") for header in given]):
        named.setdefault(name, value)
    wait = named.get("wait", "")
    seconds = None
    if wait.isascii() and wait.isdigit() and len(wait) <= _MOST_DIGITS:
        seconds = min(int(wait), LONGEST_WAIT_S)
    if seconds and _waiting(request) >= MOST_WAITING:
        seconds = None
    return Preference(wait_s=seconds, is_async="respond-async" in named)


def _waiting(request: Request) -> int:
    watches: dict[Look, Watch] = getattr(request.app.state, "watches", {})
    return sum(one.waiting for one in watches.values())


def _preferences(given: Collection[str]) -> Iterator[tuple[str, str]]:
    for header in given:
        for one in header.split(","):
            if match := _PREFERENCE.fullmatch(one):
                yield match[1].lower(), (match[2] or "").strip()


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody who knows a version and waits for another one."""

    key: str
    seen: int
    found: int | None = None
    gone: bool = False
    called: anyio.Event = field(default_factory=anyio.Event)

    def call(self) -> None:
        """Have it look around: it was answered, or is the one to look now."""
        self.called.set()


class Process(Protocol):
    """What a Watch needs of the running process."""

    @property
    def database(self) -> Database:
        """Where it looks."""

    @property
    def wake_up(self) -> WakeUp:
        """What tells it of commits."""

    @property
    def draining(self) -> bool:
        """True once nobody shall wait any more."""


class Watch:
    """Looks after things that somebody waits for, for all who wait in this process.

    One of those who wait does the looking: soon after a commit that was heard of, else every
    20 ms at first and twice a second in the end. A third of the time at most goes into it.
    """

    def __init__(self, process: Process, look: Look) -> None:
        self._process = process
        self._look = look
        self._waiters: dict[_Waiter, None] = {}
        self._leader: _Waiter | None = None
        self._pause_s = _SHORTEST_S
        self._looked_at = 0.0
        self._took_s = 0.0
        self._nudge = anyio.Event()
        process.wake_up.listeners.append(self._nudged)

    @property
    def waiting(self) -> int:
        """How many wait at the moment."""
        return len(self._waiters)

    async def changed(self, key: str, seen: int, *, timeout_s: float) -> int | None:
        """Wait until the version of key is not the one seen, and return it.

        None after timeout_s, and when the process is about to stop. A database that cannot serve
        is waited for.
        """
        waiter = _Waiter(key, seen)
        self._waiters[waiter] = None
        self._pause_s = _SHORTEST_S
        self._nudged()
        try:
            with anyio.move_on_after(timeout_s):
                while waiter.found is None and not waiter.gone:
                    if self._leader is None:
                        self._leader = waiter
                        await self._lead(waiter)
                    else:
                        await waiter.called.wait()
                        waiter.called = anyio.Event()
        finally:
            del self._waiters[waiter]
            if self._leader is waiter:
                self._leader = None
            if self._leader is None and self._waiters:
                next(iter(self._waiters)).call()
        return waiter.found

    def _nudged(self) -> None:
        self._nudge.set()

    async def _lead(self, leader: _Waiter) -> None:
        """Look, again and again, until the leader has what it waits for."""
        while leader.found is None and not leader.gone:
            await self._pause()
            if self._process.draining:
                for waiter in self._waiters:
                    waiter.gone = True
                    waiter.call()
                return
            # Cut short, a look would cost its connection.
            with anyio.CancelScope(shield=True):
                versions = await self._versions()
            for waiter in self._waiters:
                version = versions.get(waiter.key, waiter.seen)
                if version != waiter.seen:
                    waiter.found = version
                    waiter.call()
                    self._pause_s = _SHORTEST_S

    async def _pause(self) -> None:
        """Sleep until it is time to look: at the latest then, or when something happened."""
        with anyio.move_on_after(self._pause_s):
            await self._nudge.wait()
        self._nudge = anyio.Event()
        self._pause_s = min(_LONGEST_S, self._pause_s * _SLOWER)
        rest_s = self._looked_at + max(_APART_S, _REST * self._took_s) - time.monotonic()
        if rest_s > 0:
            await anyio.sleep(min(rest_s, _LONGEST_S))

    async def _versions(self) -> Mapping[str, int]:
        began = time.monotonic()
        try:
            async with self._process.database.read() as session:
                return await self._look(session, {waiter.key for waiter in self._waiters})
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("database cannot be looked at", trouble=type(error).__name__)
            self._pause_s = _LONGEST_S
            return {}
        finally:
            self._looked_at = time.monotonic()
            self._took_s = self._looked_at - began


async def watch(request: Request, look: Look) -> Watch:
    """Return this process's one Watch over what `look` reads."""
    process = await state.runtime(request)
    held = request.app.state
    if not hasattr(held, "watches"):
        held.watches = {}
    watches: dict[Look, Watch] = held.watches
    if look not in watches:
        watches[look] = Watch(process, look)
    return watches[look]
