"""Every life an order can have, as Hypothesis makes them up: always the same ones here.

Others, as many as are asked for: `python3 dev.py faults --lives 500 --seed 7`. What fails is told
step by step.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.domain.lives import run
from tests.domain.world import World


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let the models read the same file beside the modules."""


@pytest.fixture
def make(tmp_path: Path, sqlite_template: Path) -> Callable[[], World]:
    return lambda: World(sqlite_template, tmp_path)


def test_in_no_life_do_orders_and_stock_disagree(make: Callable[[], World]) -> None:
    run(make, 8, seed=1, shortest=False)
