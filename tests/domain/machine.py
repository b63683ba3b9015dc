"""Lives: what people, the clock and the news between the modules can do, in any order."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from structlog.testing import capture_logs

from tests.domain.people import HOLD_S, LIMIT_S, People
from tests.domain.world import ALWAYS, SKUS, World

PLACES = ("default", "near", "far")

_WHICH = st.integers(0, 7)
_UNITS = st.integers(1, 4)
_SKU = st.sampled_from(SKUS)
_PLACE = st.sampled_from(PLACES)
_LINES = st.lists(st.tuples(_SKU, _UNITS), min_size=1, max_size=3)
_STALE = st.sampled_from([0, 0, 0, 1])
_LEVELS = st.tuples(_SKU, _PLACE)
_NAME = st.sampled_from(["inventory", "inventory", "orders"])
_PICKS = st.lists(st.integers(0, 9), min_size=1, max_size=4)

# How often each step is taken beside the others, and what it needs.
_STEPS: Mapping[str, tuple[int, Sequence[st.SearchStrategy[Any]]]] = {
    "place": (2, [st.lists(st.tuples(_LINES, st.booleans()), min_size=1, max_size=3)]),
    "confirm": (3, [_WHICH, _STALE]),
    "extend": (1, [_WHICH, st.sampled_from([1, HOLD_S, LIMIT_S])]),
    "cancel": (2, [_WHICH, _STALE]),
    "fulfill": (5, [_WHICH, st.none() | st.dictionaries(_SKU, st.integers(1, 2), min_size=1)]),
    "unfulfill": (3, [_WHICH]),
    "receive": (1, [_SKU, _PLACE, _UNITS]),
    "adjust": (1, [st.dictionaries(_LEVELS, st.integers(-4, 4), min_size=1, max_size=2)]),
    "count": (1, [_SKU, _PLACE, st.integers(0, 9), st.none() | st.integers(0, 4)]),
    "locate": (1, [_PLACE, st.integers(0, 2), st.booleans()]),
    "keep": (1, [_SKU, st.integers(0, 3), st.integers(0, 5)]),
    "advance": (2, [st.sampled_from([HOLD_S / 2, HOLD_S])]),
    "sweep": (1, []),
    "deliver": (5, [_NAME, _PICKS]),
    "deliver_again": (2, [_NAME, _PICKS, _PICKS]),
    "deliver_all": (3, [st.booleans()]),
}
_WEIGHTED = [name for name, (weight, _) in _STEPS.items() for _ in range(weight)]
# One strategy for all: rules of their own would be switched off at random, whole lives long.
STEPS = st.sampled_from(_WEIGHTED).flatmap(lambda name: st.tuples(st.just(name), *_STEPS[name][1]))


class Lives(RuleBasedStateMachine):
    """Each step is something that can happen at any time."""

    make: ClassVar[Callable[[], World]]

    def __init__(self) -> None:
        super().__init__()
        self._quiet = capture_logs()
        self._quiet.__enter__()
        self.world = type(self).make()
        self.people = People(self.world)

    def teardown(self) -> None:
        """Come to rest, unless something was wrong before; and end."""
        try:
            if sys.exc_info()[0] is None:
                self.comes_to_rest()
        finally:
            self.world.close()
            self._quiet.__exit__(None, None, None)

    def comes_to_rest(self) -> None:
        """Let everything be heard, holds that are over end, and nothing come of old news."""
        self.world.drain()
        self.world.advance(HOLD_S + LIMIT_S)
        self.people.sweep()
        self.world.drain()
        assert self.world.left_over() == []
        self.world.see_all_again()
        assert self.world.left_over() == []

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert self.world.broken(ALWAYS) == []

    @initialize(units=st.lists(st.integers(4, 20), min_size=6, max_size=6))
    def begin(self, units: list[int]) -> None:
        """Start with something to sell, in two places, and with orders of both kinds."""
        self.people.locate("near", 0, active=True)
        self.people.locate("far", 1, active=True)
        keys = [(sku, at) for sku in SKUS for at in PLACES[1:]]
        self.people.adjust(dict(zip(keys, units, strict=True)))
        one, two = ([("A", 1), ("B", 1)], False), ([("A", 2)], True)
        self.people.place([one, two, two])
        self.world.drain()
        self.people.place([one, two])

    @rule(step=STEPS)
    def do(self, step: tuple[Any, ...]) -> None:
        name, *given = step
        for somebody in (self, self.people):
            if hasattr(somebody, name):
                getattr(somebody, name)(*given)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.world.advance(seconds)

    def deliver(self, name: str, picks: list[int]) -> None:
        """Deliver some of what waits, in any order and some of it twice."""
        for one in (name, "orders", "inventory"):
            if waits := self.world.post.waiting[one]:
                self.world.deliver(one, [waits[-1 - pick % len(waits)] for pick in picks])
                return

    def deliver_again(self, name: str, picks: list[int], old: list[int]) -> None:
        """Deliver some of what was heard before, among what was not."""
        waits, had = self.world.post.waiting[name], self.world.post.had[name]
        batch = [waits[-1 - pick % len(waits)] for pick in picks if waits]
        batch[1:1] = [had[-1 - pick % len(had)] for pick in old if had]
        if batch:
            self.world.deliver(name, batch)

    def deliver_all(self, backwards: bool) -> None:  # noqa: FBT001 - drawn
        """Let all news arrive."""
        self.world.drain(backwards=backwards)
