"""Every life an order can have, as Hypothesis makes them up: always the same ones here.

Others, as many as are asked for: `python3 dev.py faults --lives 500 --seed 7`. What fails is told
step by step.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.inventory.service import decide
from app.modules.inventory.service.claims import claim_issues
from app.modules.inventory.service.steps import Issue, Step, VoidIssue
from tests.domain.lives import run
from tests.domain.world import World


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let the models read the same file beside the modules."""


@pytest.fixture
def make(tmp_path: Path, sqlite_template: Path) -> Callable[[], World]:
    return lambda: World(sqlite_template, tmp_path)


def test_in_no_life_do_orders_and_stock_disagree(make: Callable[[], World]) -> None:
    run(make, 5, seed=1, shortest=False)


def test_a_fulfillment_that_is_decided_twice_is_caught(
    make: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def claim_all(session: AsyncSession, steps: Sequence[Step]) -> set[str]:
        await claim_issues(session, steps)
        return {step.fulfillment_id for step in steps if isinstance(step, Issue | VoidIssue)}

    monkeypatch.setattr(decide, "claim_issues", claim_all)

    with pytest.raises(AssertionError):
        run(make, 8, seed=1, shortest=False)
