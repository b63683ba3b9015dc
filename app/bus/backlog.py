"""Backlog: what the consumer of a subscriber tells the loop that runs its due deliveries."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backlog:
    """waiting is True while the stream holds more than its consumer can read at once."""

    waiting: bool = False
