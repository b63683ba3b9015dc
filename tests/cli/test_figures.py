"""Figures as people read them."""

from datetime import UTC, datetime

import pytest

from app.cli.figures import age, count, milliseconds, moment, rate, spark


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0.0123, "12 ms"),
        (1.25, "1.2 s"),
        (59.4, "59.4 s"),
        (90, "1 min 30 s"),
        (3 * 3600 + 120, "3 h 2 min"),
        (50 * 3600, "2 d 2 h"),
    ],
)
def test_an_age_is_told_in_its_largest_units(seconds: float | None, shown: str) -> None:
    assert age(seconds) == shown


def test_what_nobody_knows_is_no_zero() -> None:
    assert (rate(None), count(None), milliseconds(None), moment(None)) == ("·", "·", "", "")
    assert (rate(0.0), count(0), milliseconds(0.4)) == ("0.0/s", "0", "0 ms")
    assert count(10_000, capped=True) == "10,000+"
    assert rate(12_345.6) == "12,346/s"


def test_a_spark_is_as_wide_as_asked_and_as_high_as_its_highest() -> None:
    assert spark([9, 0, 1, 2, None, 4], 5) == "▁▂▄ █"
    assert spark([], 5) == ""
    assert spark([0, 0], 5) == "▁▁"


def test_a_moment_of_another_day_has_its_date() -> None:
    assert moment("2026-01-02T03:04:05+00:00").startswith("2026-01-0")
    assert len(moment(datetime.now(UTC).isoformat())) == len("17:02:08.568")
