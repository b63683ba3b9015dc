"""Running histories: some that are always the same, or many by a seed."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed as seeded, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.protocol.machine import Histories
from tests.faults.protocol.world import World

STEPS = 40


def run(make: Callable[[], World], number: int, *, seed: int | None = None) -> None:
    """Run so many histories, each in a world of its own; raises AssertionError and tells the first.

    Without a seed they are the same each time and a failure is told as it was found; with one it
    is made as short as possible first.
    """

    class Here(Histories):
        pass

    Here.make = staticmethod(make)
    run_state_machine_as_test(
        Here if seed is None else seeded(seed)(Here),
        settings=settings(
            max_examples=number,
            stateful_step_count=STEPS,
            derandomize=seed is None,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if seed is None else [Phase.generate, Phase.shrink],
        ),
    )
