"""Faults work on processes and engines from outside, and may block."""

import pytest


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: what must not is watched in the other packages."""
