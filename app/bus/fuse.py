"""The fuse: tells a bad deploy, which fails everything, from a few poisonous events."""

from collections import deque
from itertools import repeat


class Fuse:
    """Looks at how the last events went, and blows when nearly all of them failed.

    Only failures nobody expected count: what a handler raised, and events that fit no class.
    """

    def __init__(self, *, window: int, least: int, share: float) -> None:
        self._window = window
        self._last: deque[bool] = deque(maxlen=window)
        self._least = least
        self._share = share

    def note(self, *, failed: bool, count: int = 1) -> None:
        """Remember how so many more events went."""
        self._last.extend(repeat(failed, min(count, self._window)))

    @property
    def seen(self) -> int:
        """How many of the last events it remembers."""
        return len(self._last)

    @property
    def failed(self) -> int:
        """How many of those failed."""
        return sum(self._last)

    @property
    def blown(self) -> bool:
        """True when enough were seen and too many of them failed."""
        return self.seen >= self._least and self.failed >= self._share * self.seen

    def reset(self) -> None:
        """Forget what was; events to come decide."""
        self._last.clear()
