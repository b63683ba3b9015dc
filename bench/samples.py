"""A profile's samples, shared out over packages.

A sample belongs to the innermost frame of a package or of ours; C code is charged to the Python
that called it.
"""

import re
from collections import Counter

_FILE = re.compile(r"\(([^()]*?)(?::\d+)?\)$")
_SITE = re.compile(r"site-packages/([^/]+)")
# What runs the loop; work of uvloop itself, which is C, shows as these frames.
_LOOP = re.compile(r"^(?:run|run_until_complete) .*(?:anyio/_backends/_asyncio|asyncio/runners)")
_OURS = re.compile(r"(?:^|/)app/([^/]+)/")


def shares_of(raw: str) -> "Counter[str]":
    """Return the percent of samples of each package in py-spy's raw form."""
    counts: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        counts[_owner(stack)] += int(samples)
    total = sum(counts.values()) or 1
    return Counter({name: 100 * count / total for name, count in counts.items()})


def _owner(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        file = _FILE.search(frame)
        if file is None:
            continue
        if _LOOP.search(frame):
            return "event loop"
        if site := _SITE.search(file[1]):
            return site[1].removesuffix(".py")
        if our := _OURS.search(file[1]):
            return f"ours: {our[1]}"
        if "/app/" in file[1] or "/bench/" in file[1]:
            return "ours: app"
    return "event loop"
