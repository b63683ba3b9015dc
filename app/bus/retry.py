"""When to try again: pure arithmetic and rules, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from app.bus.errors import PermanentError


class Outcome(StrEnum):
    """What becomes of a delivery whose handler failed."""

    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a failed delivery is tried again; waits are in seconds.

    Exponential backoff with full jitter. Source of the shape: Marc Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015. `rules` say what an exception means: the entry of the
    nearest class wins; PermanentError is a dead letter at once, everything else is tried again.
    """

    max_attempts: int = 8
    first_s: float = 1.0
    most_s: float = 300.0
    rules: Mapping[type[Exception], Outcome] = field(default_factory=dict, hash=False)

    def delay_s(self, attempts: int, random: Random) -> float | None:
        """Seconds to wait before the next try, or None when it is time to dead-letter.

        attempts counts the tries already made, so the first failure passes 1.
        """
        if attempts >= self.max_attempts:
            return None
        return random.uniform(0, min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 60)))

    def outcome(self, error: BaseException) -> Outcome:
        """Return what error means for its delivery, attempts left aside."""
        for kind in type(error).__mro__:
            if kind in self.rules:
                return self.rules[kind]
        return Outcome.DEAD_LETTER if isinstance(error, PermanentError) else Outcome.RETRY
