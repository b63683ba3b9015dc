"""Tracebacks as an operator reads them: where a handler was when it raised, and no values."""

import traceback
from pathlib import Path
from types import TracebackType

_LONGEST = 8000
_CUT = "\n  [...]\n"

# What lies between a loop of ours and a handler: the same frames above every error.
_MACHINERY = frozenset(
    str(Path(__file__).with_name(f"{name}.py"))
    for name in ("blame", "call", "consumer", "due", "handling", "redrive")
)


def formatted(error: BaseException) -> str:
    """Return the traceback of an error, of those it came from too, without variables.

    It begins where the bus called, and the middle is left out of a long one.
    """
    came_by = _past_machinery(error.__traceback__)
    lines = traceback.format_exception(type(error), error, came_by)
    text = "".join(lines).replace("\x00", "\\x00").encode(errors="replace").decode()
    if len(text) <= _LONGEST:
        return text
    half = (_LONGEST - len(_CUT)) // 2
    return text[:half] + _CUT + text[-half:]


def _past_machinery(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename in _MACHINERY:
        frames = frames.tb_next
    return frames
