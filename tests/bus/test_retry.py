"""When to try again: how long to wait, how often, and what an exception means."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from app.bus.errors import HandlerTimeoutError, PermanentError
from app.bus.retry import Outcome, RetryPolicy

seconds = st.floats(min_value=0.001, max_value=10_000)


class TooLateError(PermanentError):
    """The shop is closed for good."""


@given(
    first_s=seconds,
    most_s=seconds,
    attempts=st.integers(min_value=1, max_value=10**9),
    seed=st.integers(),
)
def test_a_wait_lies_between_nothing_and_a_ceiling_that_doubles(
    first_s: float, most_s: float, attempts: int, seed: int
) -> None:
    policy = RetryPolicy(first_s=first_s, most_s=most_s, max_attempts=10**9 + 1)

    delay_s = policy.delay_s(attempts, Random(seed))

    assert delay_s is not None
    assert 0 <= delay_s <= most_s
    if attempts < 50:
        assert delay_s <= first_s * 2 ** (attempts - 1)


@pytest.mark.parametrize(("attempts", "ceiling_s"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300)])
def test_waits_are_spread_over_the_whole_range(attempts: int, ceiling_s: float) -> None:
    policy, random = RetryPolicy(max_attempts=100), Random(7)

    waits = [policy.delay_s(attempts, random) or 0 for _ in range(2000)]

    assert max(waits) <= ceiling_s
    for tenth in range(10):
        low, high = ceiling_s * tenth / 10, ceiling_s * (tenth + 1) / 10
        assert 130 < sum(low <= wait < high for wait in waits) < 270


@given(most=st.integers(min_value=1, max_value=50), attempts=st.integers(1, 100))
def test_it_gives_up_after_max_attempts_and_not_before(most: int, attempts: int) -> None:
    policy = RetryPolicy(max_attempts=most)

    assert (policy.delay_s(attempts, Random(7)) is None) == (attempts >= most)


def test_the_default_is_eight_tries_from_a_second_to_five_minutes() -> None:
    policy = RetryPolicy()

    assert (policy.max_attempts, policy.first_s, policy.most_s) == (8, 1.0, 300.0)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("any"), Outcome.RETRY),
        (HandlerTimeoutError("slow"), Outcome.RETRY),
        (PermanentError("no"), Outcome.DEAD_LETTER),
        (TooLateError("closed"), Outcome.DEAD_LETTER),
    ],
)
def test_without_rules_only_a_permanent_error_is_not_tried_again(
    error: Exception, outcome: Outcome
) -> None:
    assert RetryPolicy().outcome(error) is outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (LookupError("other"), Outcome.DEAD_LETTER),
        (KeyError("nearest"), Outcome.DISCARD),
        (IndexError("its parent's"), Outcome.DEAD_LETTER),
        (ValueError("no rule"), Outcome.RETRY),
        (TooLateError("a rule stands above permanence"), Outcome.RETRY),
        (PermanentError("a child's rule is not its parent's"), Outcome.DEAD_LETTER),
    ],
)
def test_the_rule_of_the_nearest_class_wins(error: Exception, outcome: Outcome) -> None:
    policy = RetryPolicy(
        rules={
            LookupError: Outcome.DEAD_LETTER,
            KeyError: Outcome.DISCARD,
            TooLateError: Outcome.RETRY,
        }
    )

    assert policy.outcome(error) is outcome
