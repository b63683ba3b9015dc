"""Backlog: what a loop tells those who could leave it more time."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backlog:
    """waiting is True while there is more than the relay or a consumer can take at once."""

    waiting: bool = False
