"""A dead letter as people read it."""

import pytest

from app.cli.letter import show_letter

TRY = {"attempt": 1, "failed_at": "17:02", "took_ms": 2.5, "error_type": "ValueError", "error": "x"}
LETTER = {
    "subscriber": "receipts",
    "event_id": "0197",
    "attempts": 3,
    "error_type": "ValueError",
    "error": "too long [bold]",
    "traceback": "Traceback (most recent call last):\n  boom",
    "attempts_made": [TRY],
    "changes": [{"pointer": "/lines/0/quantity", "old": 144, "new": 12}],
    "envelope": {"data": {"sku": "☕"}},
}


def test_it_tells_error_trace_tries_changes_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    show_letter(LETTER)

    told = capsys.readouterr().out
    for part in (
        "ValueError: too long [bold]",
        "Traceback (most recent call last):\n  boom",
        "2.5",
        "edited /lines/0/quantity: 144 → 12",
        '"sku": "☕"',
    ):
        assert part in told, part
