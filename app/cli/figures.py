"""Figures as people read them at a glance: rates, ages, counts and small charts."""

from collections.abc import Sequence
from datetime import datetime

UNKNOWN = "·"

_BARS = "▁▂▃▄▅▆▇█"
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def rate(per_s: float | None) -> str:
    """Return so many per second; · where nobody knows."""
    if per_s is None:
        return UNKNOWN
    return f"{per_s:.1f}/s" if per_s < 100 else f"{per_s:,.0f}/s"  # noqa: PLR2004 - three digits


def age(seconds: float | None) -> str:
    """Return a duration in its two largest units; blank where there is none."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S // _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S // _HOUR_S:.0f} h"


def count(number: int | None, *, capped: bool = False) -> str:
    """Return how many; with a plus where there are more than were counted."""
    return UNKNOWN if number is None else f"{number:,}{'+' if capped else ''}"


def spark(values: Sequence[float | None], width: int) -> str:
    """Return the last values as bars, as high as the highest of them; blank where nobody knows."""
    shown = list(values)[-width:]
    highest = max((value for value in shown if value is not None), default=0) or 1
    return "".join(
        " " if value is None else _BARS[min(7, int(value / highest * 7.999))] for value in shown
    )


def milliseconds(value: float | None) -> str:
    """Return a duration given in milliseconds; blank where there is none."""
    return "" if value is None else age(value / 1000)


def moment(iso: str | None) -> str:
    """Return a time as the clock on the wall here shows it, with its date unless that is today."""
    if iso is None:
        return ""
    at = datetime.fromisoformat(iso).astimezone()
    today = at.date() == datetime.now(tz=at.tzinfo).date()
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}" if today else f"{at:%Y-%m-%d %H:%M:%S}"
