"""CSV as shops write it: of unknown encoding, with quotes that are never closed."""

import codecs
import csv
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

# A quoted cell may hold line breaks; a quote that is never closed must not swallow the file.
_MAX_LINES_PER_ROW = 20
_CHUNK_BYTES = 1 << 20


def survey(path: Path) -> tuple[str, str]:
    """Return the file's SHA-256 and its encoding: UTF-8 if every byte fits, else Latin-1."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            if encoding == "utf-8-sig" and not _decodes(decoder, chunk):
                encoding = "latin-1"
    if encoding == "utf-8-sig" and not _decodes(decoder, b"", final=True):
        encoding = "latin-1"
    return digest.hexdigest(), encoding


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """Lines of a file for csv.reader, which can be given back and which end with a long row."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.at = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MAX_LINES_PER_ROW:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._file)
        self.taken.append(line)
        self.at += 1
        return line

    def give_back(self) -> None:
        """Return all lines of the row but its first."""
        rest = self.taken[1:]
        self._again.extendleft(reversed(rest))
        self.at -= len(rest)


def csv_rows(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on; [] for one that is no CSV.

    A row over several lines stands only if it has as many cells as the header: otherwise a stray
    quote has swallowed its neighbours, and they are read again by themselves.
    """
    lines = _Lines(file)
    reader = csv.reader(lines)
    width = 0
    while True:
        lines.taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error:
            cells = []
        if not lines.taken:
            return
        at = lines.at - len(lines.taken) + 1
        if not "".join(lines.taken).strip():
            continue
        cells = cells or []
        while width and len(cells) > width and not cells[-1].strip():
            cells.pop()
        if width and len(cells) != width and len(lines.taken) > 1:
            lines.give_back()
            cells = []
        width = width or len(cells)
        yield at, cells
