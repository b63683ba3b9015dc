"""Running lives: some that are always the same, or many by a seed."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed as seeded, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.domain.machine import Lives
from tests.domain.world import World

STEPS = 50


def run(make: Callable[[], World], number: int, *, seed: int, shortest: bool = True) -> None:
    """Run so many lives, each in a world of its own; raises AssertionError and tells the first.

    A seed is always the same lives. A failure is made as short as possible first, or is told as
    it was found.
    """

    class Here(Lives):
        pass

    Here.make = staticmethod(make)
    run_state_machine_as_test(
        seeded(seed)(Here),
        settings=settings(
            max_examples=number,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shortest else [Phase.generate],
        ),
    )
