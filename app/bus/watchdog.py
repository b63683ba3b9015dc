"""The watchdog: a thread that notices when the event loop does not run.

A handler that computes or sleeps without awaiting stops every loop, every request and every
timeout of the process, and nothing that runs on the loop can tell. A thread can.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable

import anyio
import structlog

from app.bus.supervise import LoopHealth

log = structlog.get_logger(__name__)

# The end of a stack is where it hangs.
_LONGEST_STACK = 8000


class Watchdog:
    """Says where the event loop hangs, and that it does, as long as it does and remember_s after.

    Seconds in which the whole process stood still, stopped by a signal or starved, are nobody's
    fault in it and do not count.
    """

    name = "event-loop"

    def __init__(self, *, limit_s: float = 5.0, remember_s: float = 30.0) -> None:
        self._limit_s = limit_s
        self._remember_s = remember_s
        self._tick_s = min(1.0, limit_s / 5)
        self._beat_at = time.monotonic()
        self._blocked_s = 0.0
        self._blocked_at: float | None = None
        self._over = threading.Event()

    async def run(self) -> None:
        """Show the thread that the loop runs, until cancelled."""
        self._beat_at = time.monotonic()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._beat_at = time.monotonic()
                await anyio.sleep(self._tick_s)
        finally:
            self._over.set()

    def health(self) -> LoopHealth | None:
        """Return what to show of a loop that is blocked, or was until lately; None when well."""
        if self._blocked_at is None or time.monotonic() - self._blocked_at > self._remember_s:
            return None
        age_s = round(time.monotonic() - self._beat_at, 3)
        trouble = f"the event loop did not run for {self._blocked_s:.1f} s"
        return LoopHealth(self.name, "blocked", age_s, trouble)

    def _watch(self) -> None:
        told = False
        stood_still = _stillness()
        while not self._over.wait(self._tick_s):
            if stood_still() > self._limit_s / 2:
                self._beat_at = time.monotonic()
            age_s = time.monotonic() - self._beat_at
            if age_s > self._limit_s:
                self._blocked_at, self._blocked_s = time.monotonic(), age_s
                if not told:
                    log.critical("event loop blocked", for_s=round(age_s, 1), stacks=_stacks())
                told = True
            elif told:
                log.warning("event loop runs again", after_s=round(self._blocked_s, 1))
                told = False


def _stillness() -> Callable[[], float]:
    """Return a function that gives the seconds since its last call in which nothing here ran.

    Time that passed and cost no CPU, while a thread that only sleeps was due to wake.
    """
    at, used = time.monotonic(), time.process_time()

    def stood_still() -> float:
        nonlocal at, used
        now, cost = time.monotonic(), time.process_time()
        still = (now - at) - (cost - used)
        at, used = now, cost
        return still

    return stood_still


def _stacks() -> dict[str, str]:
    """Return the stack of every other thread by its name, the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    return {
        f"{names.get(ident, 'unknown')}-{ident}": "".join(traceback.format_stack(frame))[
            -_LONGEST_STACK:
        ]
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way
        if ident != own
    }
