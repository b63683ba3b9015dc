"""The delivery protocol under histories that Hypothesis makes up, always the same ones here.

Others, as many as are asked for: `python3 dev.py faults --histories 500 --seed 7`. What fails is
told step by step.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.plants import PLANTS
from tests.faults.protocol.histories import run
from tests.faults.protocol.world import World
from tests.valkey import ValkeyServer


@pytest.fixture
def make(tmp_path: Path, sqlite_template: Path, valkey: ValkeyServer) -> Callable[[], World]:
    return lambda: World(sqlite_template, tmp_path, valkey.url)


def test_no_history_loses_or_doubles_an_effect(make: Callable[[], World]) -> None:
    run(make, 5)


@pytest.mark.parametrize(
    ("plant", "told"),
    [("inbox off", "too often"), ("time-only reconcile", "called lost while on its way")],
)
def test_a_planted_bug_is_caught(
    make: Callable[[], World], monkeypatch: pytest.MonkeyPatch, plant: str, told: str
) -> None:
    PLANTS[plant](monkeypatch.setattr)

    with pytest.raises(AssertionError, match=told):
        run(make, 8)
