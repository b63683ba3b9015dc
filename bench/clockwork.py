"""A discrete-event simulation in its smallest form: a clock, things to take in turn, and bells.

A process is a generator that yields what it waits for. Time is in seconds and passes only between
events; whoever comes first is served first, so that a run with one seed is always the same.
"""

import heapq
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

Process = Generator["Wish", None, None]


class Wish(Protocol):
    """What a process waits for."""

    def ask(self, clock: "Clock", process: Process) -> None:
        """Have the process go on once this is there."""


class Clock:
    """The time, and what happens next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._next: list[tuple[float, int, Process]] = []
        self._order = count()

    def start(self, process: Process) -> None:
        """Begin a process, now."""
        self.wake(process)

    def wake(self, process: Process, in_s: float = 0.0) -> None:
        """Have a process go on in so many seconds."""
        heapq.heappush(self._next, (self.now + in_s, next(self._order), process))

    def run(self, until_s: float) -> None:
        """Let time pass until then, or until nothing is left to happen."""
        while self._next and self._next[0][0] <= until_s:
            self.now, _, process = heapq.heappop(self._next)
            wish = next(process, None)
            if wish is not None:
                wish.ask(self, process)


@dataclass(frozen=True, slots=True)
class Pass:
    """Waits for time to pass."""

    seconds: float

    def ask(self, clock: Clock, process: Process) -> None:
        """Go on then."""
        clock.wake(process, self.seconds)


@dataclass(slots=True)
class Resource:
    """So many of a thing, such as cores, or one lock; waits in turn for one of them."""

    clock: Clock
    free: float = 1
    _waiting: deque[Process] = field(default_factory=deque)

    def ask(self, clock: Clock, process: Process) -> None:
        """Go on when one is free, which is this process's then."""
        if self.free:
            self.free -= 1
            clock.wake(process)
        else:
            self._waiting.append(process)

    def give(self) -> None:
        """Give one back."""
        if self._waiting:
            self.clock.wake(self._waiting.popleft())
        else:
            self.free += 1

    def held(self, seconds: float, *, at_a_time_s: float = 1e-3) -> Process:
        """Hold one for so long in all, letting others in between, as a scheduler does."""
        while seconds > 0:
            slice_s = min(seconds, at_a_time_s)
            yield self
            yield Pass(slice_s)
            seconds -= slice_s
            self.give()


@dataclass(slots=True)
class Bell:
    """Waits until somebody rings."""

    clock: Clock
    _waiting: list[Process] = field(default_factory=list)

    def ask(self, clock: Clock, process: Process) -> None:  # noqa: ARG002 - as other wishes
        """Go on when it rings."""
        self._waiting.append(process)

    def ring(self) -> None:
        """Let everybody go on who waits."""
        for process in self._waiting:
            self.clock.wake(process)
        self._waiting.clear()
