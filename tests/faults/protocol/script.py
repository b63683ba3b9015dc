"""Who listens in a history, and what its script makes of each event."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import outbox
from app.bus.errors import PermanentError
from app.bus.event import Event
from app.bus.retry import Outcome, RetryPolicy
from app.bus.subscriber import Failed, Subscriber
from tests.bus.sample import Heard, Rang
from tests.faults.audit import audited
from tests.faults.crash import Crash


class Tolled(Event):
    """A bell tolled, which old builds of `ears` do not know of."""

    type = "bells.bell_tolled.v1"
    subject_field = "bell"

    bell: str


class Boom(Exception):  # noqa: N818 - what it says
    """A handler's own failure."""


class Waived(Exception):  # noqa: N818 - what it says
    """A failure that the retry policy takes for nothing."""


ATTEMPTS = 3
_RETRY = RetryPolicy(max_attempts=ATTEMPTS, most_s=60.0, rules={Waived: Outcome.DISCARD})

SUBSCRIBED: dict[str, tuple[type[Event], ...]] = {
    "ears": (Rang, Tolled),
    "echo": (Heard,),
    "late-now": (Rang, Heard),
    "late-fill": (Rang, Heard),
}
"""The types that the newest build of each subscriber handles."""


class Script:
    """What handlers do, one word per call: by subscriber and by the bell that an event is about.

    Where nothing is left to read, all goes well.
    """

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.written: dict[tuple[str, str], set[str]] = defaultdict(set)

    def write(self, subscriber: str, bell: str, words: Sequence[str]) -> None:
        """Say what the next calls do."""
        self._left[subscriber, bell] += words
        self.written[subscriber, bell] |= set(words)

    def read(self, subscriber: str, event: Rang | Tolled | Heard) -> str:
        """Return what this call does."""
        left = self._left[subscriber, event.bell]
        return left.pop(0) if left else "fine"

    def act(self, subscriber: str, event: Rang | Tolled | Heard) -> Any:  # noqa: ANN401 - a failure of the event, or None
        """Do what this call does."""
        match self.read(subscriber, event):
            case "raise":
                raise Boom
            case "give up":
                raise PermanentError
            case "waive":
                raise Waived
            case "die":
                raise Crash
            case "fail":
                return Failed(event, "for now")
            case "fail for good":
                return Failed(event, "for good", permanent=True)
        return None


def subscribers(script: Script, names: Sequence[str], *, old: bool) -> list[Subscriber]:
    """Return the subscribers of a build, audited."""
    made = [_MAKE[name](script, old) for name in names]
    for one in made:
        audited(one)
    return made


def _ears(script: Script, old: bool) -> Subscriber:  # noqa: FBT001 - see `subscribers`
    ears = Subscriber("ears")

    kinds: list[type[Event]] = [Rang] if old else [Rang, Tolled]

    @ears.on(*kinds, retry=_RETRY)
    async def hear(event: Any, session: AsyncSession) -> None:  # noqa: ANN401 - either
        # Before the failure, so that what a rollback leaves behind can be seen.
        await outbox.publish(session, Heard(bell=event.bell))
        script.act("ears", event)

    return ears


def _echo(script: Script, old: bool) -> Subscriber:  # noqa: FBT001 - see `subscribers`
    del old
    echo = Subscriber("echo")

    @echo.on(Heard, batch=True, retry=_RETRY)
    async def answer(events: Sequence[Heard], session: AsyncSession) -> list[Failed[Heard]]:
        del session
        return [failed for event in events if (failed := script.act("echo", event))]

    return echo


def _late(name: str, script: Script) -> Subscriber:
    late = Subscriber(name, start="fill" if name == "late-fill" else "now")

    @late.on(Rang, Heard, retry=_RETRY)
    async def listen(event: Any, session: AsyncSession) -> None:  # noqa: ANN401 - either
        del session
        script.act(name, event)

    return late


_MAKE: dict[str, Callable[[Script, bool], Subscriber]] = {
    "ears": _ears,
    "echo": _echo,
    "late-now": lambda script, _: _late("late-now", script),
    "late-fill": lambda script, _: _late("late-fill", script),
}
