"""How long each thing may take, in one place, because they only make sense in their order."""

from dataclasses import dataclass, fields
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds, each longer than the one before; raises ValueError when they are not.

    A lock is waited for less long than a statement may run, a statement ends before its handler
    is given up, and a handler is given up before the database ends a transaction that idles, as
    a frozen worker's does. They bound waiting, never correctness: that rests on unique keys.
    """

    lock_s: float = 2.0
    statement_s: float = 15.0
    handler_s: float = 20.0
    idle_in_transaction_s: float = 25.0

    def __post_init__(self) -> None:
        ours = [(field.name, float(getattr(self, field.name))) for field in fields(self)]
        for (shorter, less), (longer, more) in pairwise([("0", 0.0), *ours]):
            if not less < more:
                msg = f"{shorter} must be less than {longer}, and they are {less:g} and {more:g}"
                raise ValueError(msg)

    @property
    def lease_s(self) -> float:
        """How long a claimed due row is its worker's: longer than any transaction may last."""
        return self.idle_in_transaction_s + 5
