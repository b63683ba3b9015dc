"""What was found out, a sentence each, and the figures that belong into docs/container.md."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ImageError(Exception):
    """The image could not be built or tried; the text says what to do."""


class Report:
    """Tells each finding when it is made; `failed` counts those that should not be."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, sentence: str, held: bool, found: object = "") -> None:  # noqa: FBT001 - the point
        """Tell whether a sentence about the image is true; found is told where it is not."""
        self.failed += not held
        self._tell(f"{'ok  ' if held else 'FAIL'} {sentence}{'' if held else f': {found}'}")

    def figure(self, name: str, value: str) -> None:
        """Tell a measurement."""
        self._tell(f"     {name}: {value}")

    @contextmanager
    def part(self, title: str) -> Iterator[None]:
        """Tell the part that begins; what breaks in it is a finding, and the next part goes on."""
        self._tell(f"\n{title}")
        try:
            yield
        except (ImageError, AssertionError, OSError, subprocess.SubprocessError) as error:
            self.check(f"{title} could be tried to the end", held=False, found=repr(error))

    def _tell(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
