"""A clock that is wrong, in this process only: what is decided by it goes wrong and is seen."""

import ctypes
import gc
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

import uuid_utils
import uuid_utils.compat


def shift(seconds: float) -> None:
    """Move this process's wall clock: `time.time`, `datetime.now` and the time in new UUIDv7s.

    Monotonic clocks stay, as they do when a real clock is set.
    """
    real_time, real_time_ns, real_now = time.time, time.time_ns, datetime.now

    def now(tz: tzinfo | None = None) -> datetime:
        return real_now(tz) + timedelta(seconds=seconds)

    def uuid7(*, nanoseconds: int | None = None) -> UUID:
        return UUID(bytes=uuid_utils.uuid7(nanoseconds=nanoseconds or time.time_ns()).bytes)

    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + round(seconds * 1e9)
    uuid_utils.compat.uuid7 = uuid7
    # The class is built in: only its own dictionary reaches those who have imported it already.
    (attributes,) = gc.get_referents(datetime.__dict__)
    _replace(attributes, "now", staticmethod(now))


def _replace(attributes: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - any attribute
    attributes[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))
