"""The life of an order as a diagram: every way there is, and the one that it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.console.axis import lasting

NODE_WIDTH, NODE_HEIGHT = 116, 46

_Places = Mapping[str, tuple[int, int]]
_Roads = Mapping[tuple[str, str], str]

_WIDE: _Places = {
    "pending": (4, 44),
    "reserved": (180, 44),
    "confirmed": (356, 44),
    "fulfilled": (532, 44),
    "rejected": (4, 154),
    "expired": (180, 154),
    "cancelled": (356, 154),
}
_WIDE_ROADS: _Roads = {
    ("pending", "reserved"): "M120 67 H177",
    ("reserved", "confirmed"): "M296 67 H353",
    ("confirmed", "fulfilled"): "M472 67 H529",
    ("pending", "confirmed"): "M62 44 V26 Q62 16 72 16 H404 Q414 16 414 26 V41",
    ("pending", "rejected"): "M46 90 V151",
    ("reserved", "expired"): "M222 90 V151",
    ("confirmed", "cancelled"): "M430 90 V151",
    ("reserved", "cancelled"): "M262 90 V112 Q262 122 272 122 H390 Q400 122 400 132 V151",
    ("pending", "cancelled"): (
        "M86 90 V126 Q86 136 96 136 H138 Q148 136 148 146 V210 Q148 220 158 220 "
        "H404 Q414 220 414 210 V203"
    ),
}
_TALL: _Places = {
    "pending": (20, 5),
    "reserved": (20, 95),
    "confirmed": (20, 185),
    "fulfilled": (20, 275),
    "rejected": (192, 5),
    "expired": (192, 95),
    "cancelled": (192, 185),
}
_TALL_ROADS: _Roads = {
    ("pending", "reserved"): "M78 51 V92",
    ("reserved", "confirmed"): "M78 141 V182",
    ("confirmed", "fulfilled"): "M78 231 V272",
    ("pending", "confirmed"): "M20 28 H14 Q6 28 6 36 V200 Q6 208 14 208 H17",
    ("pending", "rejected"): "M136 20 H189",
    ("reserved", "expired"): "M136 110 H189",
    ("confirmed", "cancelled"): "M136 214 H189",
    ("reserved", "cancelled"): "M136 128 H148 Q156 128 156 136 V190 Q156 198 164 198 H189",
    ("pending", "cancelled"): (
        "M136 38 H164 Q172 38 172 46 V156 Q172 164 180 164 H242 Q250 164 250 172 V182"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A status: where it is drawn, and when the order came to it, if it did."""

    status: str
    x: int
    y: int
    at: str = ""
    after: str = ""
    is_here: bool = False

    @property
    def is_passed(self) -> bool:
        """True when the order is or was there."""
        return bool(self.at)


@dataclass(frozen=True, slots=True)
class Road:
    """A way from one status to another, and whether the order went it."""

    start: str
    end: str
    path: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """The diagram in one of its shapes."""

    name: str
    width: int
    height: int
    stops: Sequence[Stop]
    roads: Sequence[Road]


@dataclass(frozen=True, slots=True)
class Life:
    """The diagram for wide and for narrow screens; `told` is the way in words."""

    drawings: Sequence[Drawing]
    told: str


def life(status: str, history: Sequence[Mapping[str, Any]]) -> Life:
    """Draw the way to this status; history is what `/v1/orders/{id}/timeline` answers."""
    came: dict[str, str] = {}
    went: set[tuple[str, str]] = set()
    for entry in history:
        if entry["from_status"] != entry["to_status"]:
            came[entry["to_status"]] = entry["at"]
            went.add((entry["from_status"], entry["to_status"]))
    drawings = [
        Drawing(name, width, height, _stops(places, status, came), _roads(roads, went))
        for name, width, height, places, roads in (
            ("wide", 652, 228, _WIDE, _WIDE_ROADS),
            ("tall", 314, 326, _TALL, _TALL_ROADS),
        )
    ]
    told = ", then ".join(f"{name} at {at}" for name, at in came.items())
    return Life(drawings, f"The order is {status}. It was {told}.")


def _stops(places: _Places, status: str, came: Mapping[str, str]) -> list[Stop]:
    first = came.get("pending")
    return [
        Stop(
            status=name,
            x=x,
            y=y,
            at=came.get(name, ""),
            after=_after(first, came.get(name)),
            is_here=name == status,
        )
        for name, (x, y) in places.items()
    ]


def _roads(roads: _Roads, went: set[tuple[str, str]]) -> list[Road]:
    """Return the roads; what was taken lies on top of what was not."""
    drawn = (Road(*way, path, way in went) for way, path in roads.items())
    return sorted(drawn, key=lambda one: one.taken)


def _after(first: str | None, at: str | None) -> str:
    if first is None or at is None:
        return ""
    seconds = (datetime.fromisoformat(at) - datetime.fromisoformat(first)).total_seconds()
    return f"after {lasting(seconds)}" if seconds > 0 else ""
