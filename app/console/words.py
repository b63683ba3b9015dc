"""How the console writes numbers, times and ids: the filters of its templates."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
_THOUSAND = 1000

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""
_LONG_ID = 14
_SMALL = 10_000
_CALM_S = 5


def moment(given: str | datetime | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names."""
    if given is None or isinstance(given, datetime):
        return given
    return datetime.fromisoformat(given)


def absolute(given: str | datetime | None) -> str:
    """Write a moment in full: `20 Nov 2026, 16:47:56 UTC`."""
    at = moment(given)
    return "" if at is None else f"{at.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC"


def clock(given: str | datetime | None) -> str:
    """Write the time of day with milliseconds: `16:47:56.120`."""
    at = moment(given)
    return "" if at is None else f"{at.astimezone(UTC):%H:%M:%S.%f}"[:-3]


def ago(given: str | datetime | None) -> str:
    """Write a moment as a distance from now: `5 s ago`, `in 3 min`."""
    at = moment(given)
    if at is None:
        return ""
    seconds = (datetime.now(UTC) - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    distance = span(abs(seconds))
    return f"{distance} ago" if seconds > 0 else f"in {distance}"


def span(seconds: float | None) -> str:
    """Write a duration given in seconds: `40 ms`, `1.2 s`, `3 min`, `2 h`, `5 d`."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004 - one digit before the point, one after
        return f"{seconds:.1f} s"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def calm(seconds: float | None) -> str:
    """Write an idle time; one of a few seconds is not told apart, so that pages keep still."""
    return "just now" if seconds is not None and seconds < _CALM_S else span(seconds)


def milliseconds(given: float | None) -> str:
    """Write a duration given in milliseconds."""
    return span(None if given is None else given / 1000)


def number(given: float | None) -> str:
    """Write a count with thin spaces between thousands: `1 204 000`."""
    return NOTHING if given is None else f"{given:,.0f}".replace(",", "\u202f")


def short_number(given: float | None) -> str:
    """Write a count in as many letters as a small box has: `9 999`, `34 k`, `1.2 M`."""
    if given is None:
        return NOTHING
    if given < _SMALL:
        return number(given)
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if given >= size:
            small = given / size
            return f"{small:.1f} {unit}" if small < 10 else f"{small:.0f} {unit}"  # noqa: PLR2004
    return number(given)


def rate(per_s: float | None, of: str = "") -> str:
    """Write a rate with its unit: `12/s`, `7.2/s`, `42/min`; of what, if told: `42 events/min`."""
    if per_s is None:
        return NOTHING
    of = f" {of}" if of else ""
    if per_s <= 0:
        return f"0{of}/s"
    if per_s >= 1:
        return f"{short_number(per_s) if per_s >= 10 else f'{per_s:.1f}'}{of}/s"  # noqa: PLR2004
    per_min = per_s * 60
    return f"{per_min:.0f}{of}/min" if per_min >= 1 else f"<1{of}/min"


def bytes_(given: float | None) -> str:
    """Write a size: `1.2 MB`."""
    if given is None:
        return NOTHING
    size = float(given)
    for unit in ("B", "kB", "MB"):
        if size < _THOUSAND:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _THOUSAND
    return f"{size:.1f} GB"


def short(given: object) -> str:
    """Shorten an id to its kind and its last letters, which tell ids apart: `ord_…9f3c2a`."""
    text = str(given)
    if len(text) <= _LONG_ID:
        return text
    kind, separator, _ = text.partition("_")
    is_kind = bool(separator) and len(kind) <= 4  # noqa: PLR2004 - ord, key, fil
    return f"{kind}_…{text[-6:]}" if is_kind else f"…{text[-8:]}"


def plain(given: str) -> str:
    """Write a word of the API as people do: `order_created` becomes `order created`."""
    return given.replace("_", " ").replace("-", " ")


def pretty(given: object) -> str:
    """Write a JSON value over several lines."""
    return json.dumps(given, indent=2, ensure_ascii=False)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "absolute": absolute,
    "ago": ago,
    "bytes": bytes_,
    "calm": calm,
    "clock": clock,
    "ms": milliseconds,
    "number": number,
    "plain": plain,
    "pretty": pretty,
    "rate": rate,
    "short": short,
    "short_number": short_number,
    "span": span,
}
"""By the name a template uses them under."""
