"""What a stream knows of one group, and the order of its ids."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupState:
    """How far a group has read, and what it holds unacknowledged; for `verify`."""

    last_delivered_id: str
    pending_ids: frozenset[str]


def order(stream_id: str) -> tuple[int, int]:
    """Return a stream id as numbers, which is how the stream orders them."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence or 0)
