"""Wake-ups: a commit tells the relay at once, here and in other processes; polling is the net."""

from collections.abc import Callable

import anyio

from app.bus.errors import StreamUnavailableError
from app.bus.stream import Stream
from app.bus.supervise import Pulse


class WakeUp:
    """Set after every commit that published something; costs the committer nothing.

    listeners are called at each commit that this process hears of, its own and others'. Where a
    relay runs beside, others are told only when it says so: it is woken anyway, and would be once
    more by what it hears of itself.
    """

    def __init__(self) -> None:
        self.is_relayed_here = False
        self._is_own_new = False
        self._here = anyio.Event()
        self._elsewhere = anyio.Event()
        self.listeners: list[Callable[[], None]] = []

    def committed(self) -> None:
        """Wake this process's relay; have the others told where there is none."""
        if not self.is_relayed_here:
            self.tell_others()
        self._is_own_new = True
        self.heard()

    def take_own(self) -> bool:
        """Return whether this process committed since it was asked last."""
        own, self._is_own_new = self._is_own_new, False
        return own

    def tell_others(self) -> None:
        """Have other processes told that there may be something to publish."""
        self._elsewhere.set()

    def heard(self) -> None:
        """Wake this process's relay: another process committed."""
        self._here.set()
        for listener in self.listeners:
            listener()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up and take it; False when timeout_s passed without one."""
        with anyio.move_on_after(timeout_s):
            await self._here.wait()
        woken = self._here.is_set()
        if woken:
            self._here = anyio.Event()
        return woken

    async def take_announcement(self, timeout_s: float) -> bool:
        """Wait for something to tell the others; many commits make one announcement."""
        with anyio.move_on_after(timeout_s):
            await self._elsewhere.wait()
        due = self._elsewhere.is_set()
        if due:
            self._elsewhere = anyio.Event()
        return due


_REST_S = 0.01
"""From one announcement to the next, at least: each costs as much as several orders' writing."""


class Announcer:
    """Tells other processes' relays about commits here: one PUBLISH at a time, and 100 a second.

    An announcement that fails is dropped, never retried: the relays poll as well.
    """

    name = "wake-up-announcer"

    def __init__(self, stream: Stream, wake_up: WakeUp) -> None:
        self._stream = stream
        self._wake_up = wake_up

    async def run(self, pulse: Pulse) -> None:
        """Announce until told to stop."""
        while not pulse.stopping:
            due = False
            with pulse.interruptible():
                due = await self._wake_up.take_announcement(timeout_s=1)
            try:
                if due:
                    await self._stream.wake_others()
                    await anyio.sleep(_REST_S)
            except StreamUnavailableError as error:
                await pulse.wait_out(error)
            else:
                pulse.beat()


class WakeUpReceiver:
    """Hears the announcements of other processes and wakes the relay here."""

    name = "wake-up-receiver"

    def __init__(self, stream: Stream, wake_up: WakeUp) -> None:
        self._stream = stream
        self._wake_up = wake_up

    async def run(self, pulse: Pulse) -> None:
        """Listen until told to stop; a lost connection costs only the poll's delay."""
        while not pulse.stopping:
            try:
                with pulse.interruptible():
                    async with self._stream.wake_ups() as next_call:
                        while True:
                            pulse.beat()
                            if await next_call(1):
                                self._wake_up.heard()
            except StreamUnavailableError as error:
                await pulse.wait_out(error)
