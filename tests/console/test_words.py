"""How numbers, times and ids are written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.console import words

THIN = "\u202f"


@pytest.mark.parametrize(
    ("write", "given", "text"),
    [
        (words.span, None, words.NOTHING),
        (words.span, 0.0404, "40 ms"),
        (words.span, 1.24, "1.2 s"),
        (words.span, 59, "59 s"),
        (words.span, 200, "3 min"),
        (words.span, 7200, "2 h"),
        (words.span, 450_000, "5 d"),
        (words.milliseconds, 1240.0, "1.2 s"),
        (words.calm, 0.2, "just now"),
        (words.calm, 31, "31 s"),
        (words.number, None, words.NOTHING),
        (words.number, 1_204_000, f"1{THIN}204{THIN}000"),
        (words.short_number, None, words.NOTHING),
        (words.short_number, 9_999, f"9{THIN}999"),
        (words.short_number, 34_400, "34 k"),
        (words.short_number, 1_240_000, "1.2 M"),
        (words.rate, None, words.NOTHING),
        (words.rate, 0, "0/s"),
        (words.rate, 0.01, "<1/min"),
        (words.rate, 0.7, "42/min"),
        (words.rate, 7.25, "7.2/s"),
        (words.rate, 12_400, "12 k/s"),
        (words.bytes_, 900, "900 B"),
        (words.bytes_, 1_540_000, "1.5 MB"),
        (words.bytes_, 3_200_000_000, "3.2 GB"),
        (words.short, "ord_01a1f9e888ae774fa5f79f257080d519", "ord_…80d519"),
        (words.short, "01a1f9e8-88ae-774f-a5f7-9f26ab21f9fc", "…ab21f9fc"),
        (words.short, "key", "key"),
        (words.plain, "backing_off", "backing off"),
        (words.absolute, "2026-11-20T17:02:08.568+01:00", "20 Nov 2026, 16:02:08 UTC"),
        (words.absolute, None, ""),
        (words.clock, "2026-11-20T17:02:08.568Z", "17:02:08.568"),
        (words.pretty, {"a": "é"}, '{\n  "a": "é"\n}'),
    ],
)
def test_it_is_written_as_people_read_it(
    write: Callable[[object], str], given: object, text: str
) -> None:
    assert write(given) == text


def test_a_moment_is_told_from_now() -> None:
    now = datetime.now(UTC)

    assert words.ago(now - timedelta(minutes=3)) == "3 min ago"
    assert words.ago((now + timedelta(hours=2, seconds=5)).isoformat()) == "in 2 h"
    assert words.ago(now) == "now"
    assert words.ago(None) == ""
