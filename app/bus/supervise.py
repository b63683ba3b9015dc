"""Run the loops. One that dies of a bug takes the process down; none ever ends quietly."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol

import anyio
import structlog

log = structlog.get_logger(__name__)


class Backoff:
    """Waits that grow from 0.1 s to 5 s while something keeps failing, each with jitter.

    The jitter takes off at most half, so no error can make a loop spin. Shape of the growth: Marc
    Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("equal jitter").
    """

    def __init__(
        self, first_s: float = 0.1, most_s: float = 5.0, random: Random | None = None
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._failures = 0

    def next_s(self) -> float:
        """Return how long to wait after one more failure, in seconds."""
        ceiling = min(self._most_s, self._first_s * 2.0**self._failures)
        self._failures = min(self._failures + 1, 30)
        return ceiling / 2 + self._random.uniform(0, ceiling / 2)

    def reset(self) -> None:
        """Start small again: it worked."""
        self._failures = 0


class Pulse:
    """How a loop shows that it lives and learns that it should stop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trouble: str | None = None
        self.error: Exception | None = None
        self.stopping = False
        self.ended = False
        self._beat_at = time.monotonic()
        self._scopes: set[anyio.CancelScope] = set()
        self._backoff = Backoff()

    @property
    def age_s(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._beat_at

    def beat(self) -> None:
        """Say that one round went well."""
        self._beat_at = time.monotonic()
        self._backoff.reset()
        if self.trouble is not None:
            log.info("loop recovered", loop=self.name, after=self.trouble)
            self.trouble = self.error = None

    async def wait_out(self, trouble: Exception) -> None:
        """Report that something outside is unreachable, and back off before the next round."""
        self._beat_at = time.monotonic()
        sentence = f"{type(trouble).__name__}: {trouble}".splitlines()[0]
        if self.trouble is None:
            log.warning("loop waits for what it needs", loop=self.name, trouble=sentence)
        self.trouble, self.error = sentence, trouble
        await self.sleep(self._backoff.next_s())

    async def hold(self, why: str, seconds: float) -> None:
        """Hold still for some seconds and show why; the next beat says that it goes on."""
        self._beat_at = time.monotonic()
        self.trouble, self.error = why, None
        await self.sleep(seconds)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Mark a wait that `stop` may cut short; work inside must be safe to abandon."""
        with anyio.CancelScope() as scope:
            if self.stopping:
                scope.cancel()
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)

    async def sleep(self, seconds: float) -> None:
        """Sleep, but not past `stop`."""
        with self.interruptible():
            await anyio.sleep(seconds)

    def stop(self) -> None:
        """Ask the loop to finish what it has in hand and return."""
        self.stopping = True
        for scope in self._scopes:
            scope.cancel()


class Loop(Protocol):
    """Something that runs until its pulse says stop."""

    @property
    def name(self) -> str:
        """Unique in the process; shown in readiness and in the log."""

    async def run(self, pulse: Pulse) -> None:
        """Work until `pulse.stopping`; beat every round; raise only on a bug."""


@dataclass(frozen=True, slots=True)
class LoopHealth:
    """One loop as readiness shows it: state is running, waiting, stalled, dead or blocked."""

    name: str
    state: str
    beat_age_s: float
    trouble: str | None


class Supervisor:
    """Runs loops side by side and remembers whether one died of a bug.

    on_death is called once, from the event loop, when that happens; it should end the process
    in an orderly way. `failure` then holds the exception, so that the exit code can tell.
    """

    def __init__(
        self, loops: Sequence[Loop], on_death: Callable[[], None], *, stalled_after_s: float = 30.0
    ) -> None:
        self._loops = [(loop, Pulse(loop.name)) for loop in loops]
        self._on_death = on_death
        self._stalled_after_s = stalled_after_s
        self._ended = anyio.Event()
        self.failure: BaseException | None = None

    async def run(self) -> None:
        """Run every loop until each has returned after `stop`."""
        async with anyio.create_task_group() as group:
            for loop, pulse in self._loops:
                group.start_soon(self._guard, loop, pulse, name=loop.name)
        self._ended.set()

    async def ended(self) -> None:
        """Wait until every loop has returned."""
        await self._ended.wait()

    def troubles(self) -> list[Exception]:
        """Return what the loops are waiting out at the moment."""
        return [pulse.error for _, pulse in self._loops if pulse.error is not None]

    async def _guard(self, loop: Loop, pulse: Pulse) -> None:
        try:
            await loop.run(pulse)
            if not pulse.stopping:
                msg = f"loop {loop.name!r} returned although nobody asked it to stop"
                raise RuntimeError(msg)  # noqa: TRY301 - handled like any other death
        except Exception as error:
            log.critical("loop died, so the process ends", loop=loop.name, exc_info=error)
            if self.failure is None:
                self.failure = error
                self._on_death()
        finally:
            pulse.ended = True

    def stop(self) -> None:
        """Ask every loop to finish."""
        for _, pulse in self._loops:
            pulse.stop()

    def health(self) -> list[LoopHealth]:
        """Return each loop's state."""
        return [
            LoopHealth(pulse.name, self._state(pulse), round(pulse.age_s, 3), pulse.trouble)
            for _, pulse in self._loops
        ]

    def _state(self, pulse: Pulse) -> str:
        if pulse.ended:
            return "dead"
        if pulse.trouble is not None:
            return "waiting"
        return "stalled" if pulse.age_s > self._stalled_after_s else "running"
