"""A time axis that stays readable: what is work is drawn to scale, long waits are cut short."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

_CUT_WIDTH = 5.0
_MOST_CUT = 40.0
_TICKS = 6
_APART = 13.0
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the axis: where it stands in percent, and how long after the beginning that is."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A wait that is drawn shorter than it was: its place and width in percent."""

    at: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Places moments between 0 and 100 percent."""

    start: datetime
    stops: Sequence[tuple[float, float]]
    ticks: Sequence[Tick]
    cuts: Sequence[Cut]

    def place(self, moment: datetime) -> float:
        """Return where a moment stands, in percent; what is outside stands at the edge."""
        return _place(self.stops, (moment - self.start).total_seconds())


def lasting(seconds: float) -> str:
    """Write a duration for people: `3.2 ms`, `4.20 s`, `2 h 5 min`."""
    ms = seconds * 1000
    if ms < 9.95:  # noqa: PLR2004 - below ten, with what rounding does
        return f"{ms:.1f} ms"
    if ms < 999.5:  # noqa: PLR2004 - below a second
        return f"{ms:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s"
    whole = int(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def axis(moments: Iterable[datetime], busy: Iterable[tuple[datetime, datetime]]) -> Axis:
    """Return the axis of these moments, of which there is one at least.

    Between two neighbours in which nothing is busy, a wait that outlasts half of everything that
    is drawn to scale is cut.
    """
    known = sorted(set(moments))
    start = known[0]
    points = [(one - start).total_seconds() for one in known]
    spans = [((a - start).total_seconds(), (b - start).total_seconds()) for a, b in busy]
    parts = list(pairwise(points))
    cut = _cut(parts, spans)
    stops = _stops(points, parts, cut)
    cuts = [
        Cut(_place(stops, a), _place(stops, b) - _place(stops, a), lasting(b - a))
        for a, b in sorted(cut)
    ]
    return Axis(start, stops, _ticks(stops, parts, cut), cuts)


def _cut(
    parts: Sequence[tuple[float, float]], busy: Sequence[tuple[float, float]]
) -> set[tuple[float, float]]:
    worked = _merged(busy)
    begins = [a for a, _ in worked]
    idle = [part for part in parts if not _meets(worked, begins, part)]
    to_scale = sum(b - a for a, b in set(parts) - set(idle))
    kept: set[tuple[float, float]] = set()
    for a, b in sorted(idle, key=lambda part: part[1] - part[0]):
        if to_scale and b - a > to_scale / 2:
            break
        kept.add((a, b))
        to_scale += b - a
    return set(idle) - kept


def _merged(busy: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for a, b in sorted(span for span in busy if span[0] < span[1]):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


def _meets(
    worked: Sequence[tuple[float, float]], begins: Sequence[float], part: tuple[float, float]
) -> bool:
    last = bisect_left(begins, part[1]) - 1
    return last >= 0 and worked[last][1] > part[0]


def _stops(
    points: Sequence[float],
    parts: Sequence[tuple[float, float]],
    cut: set[tuple[float, float]],
) -> list[tuple[float, float]]:
    """Return pairs of seconds and percent, between which the axis is linear."""
    to_scale = sum(b - a for a, b in parts if (a, b) not in cut)
    each = min(_CUT_WIDTH, _MOST_CUT / len(cut)) if cut else 0.0
    per_s = (100 - each * len(cut)) / to_scale if to_scale else 0.0
    stops = [(points[0], 0.0)]
    for a, b in parts:
        wide = each if (a, b) in cut else (b - a) * per_s
        stops.append((b, stops[-1][1] + wide))
    return stops


def _place(stops: Sequence[tuple[float, float]], seconds: float) -> float:
    after = bisect_right(stops, seconds, key=lambda stop: stop[0])
    if after == 0:
        return 0.0
    if after == len(stops):
        return stops[-1][1]
    (a, left), (b, right) = stops[after - 1], stops[after]
    return left + (right - left) * (seconds - a) / (b - a)


def _ticks(
    stops: Sequence[tuple[float, float]],
    parts: Sequence[tuple[float, float]],
    cut: set[tuple[float, float]],
) -> list[Tick]:
    to_scale = sum(b - a for a, b in parts if (a, b) not in cut)
    step = _nice(to_scale / _TICKS)
    ticks = [Tick(0.0, "0")]
    for a, b in parts:
        if (a, b) in cut or not step:
            continue
        number = int(a // step) + 1
        while number * step <= b:
            place = _place(stops, number * step)
            if place - ticks[-1].at >= _APART and place < 100 - _APART / 2:
                ticks.append(Tick(place, "+" + lasting(number * step)))
            number += 1
    return ticks


def _nice(step: float) -> float:
    """Return the next larger of 1, 2 or 5 times a power of ten; 0 for 0."""
    if step <= 0:
        return 0.0
    power = 10.0 ** len(str(int(step))) if step >= 1 else 1.0
    while power > step:
        power /= 10
    return next(power * times for times in (1, 2, 5, 10) if power * times >= step)
