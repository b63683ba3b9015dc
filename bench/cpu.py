"""Processor time of processes, from /proc, so on Linux only.

CPU and not wall clock comes first in this bench: it depends far less on who else uses the machine.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def process_s(pid: int) -> float:
    """Return the user and system time of one process so far, in seconds; 0 when it is gone."""
    return sum(_times(_fields(pid))[:2])


def tree_s(pid: int) -> float:
    """Return the same of a process and all that came from it, those that have ended included."""
    return sum(sum(_times(_fields(each))) for each in tree(pid))


def tree(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    children: dict[int, list[int]] = {}
    for each in _processes():
        if fields := _fields(each):
            children.setdefault(int(fields[1]), []).append(each)
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def machine_s() -> float:
    """Return the time that all cores of the machine have been busy so far, in seconds."""
    words = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _waiting, *interrupted = (int(word) for word in words[:8])
    return (user + nice + system + sum(interrupted)) * _TICK_S


def own_s() -> float:
    """Return the CPU seconds of this process, and of children that it has waited for."""
    return sum(os.times()[:4])


def freeze(pid: int) -> None:
    """Hold a process and its children still, while the work for them is laid out."""
    for each in tree(pid):
        send(each, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """Let them go on."""
    for each in tree(pid):
        send(each, signal.SIGCONT)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone by now."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def memory_mb(pid: int) -> float:
    """Return the resident memory of one process, in megabytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB / 1024


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _fields(pid: int) -> list[str]:
    """Return what /proc says of a process after its name; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _times(fields: list[str]) -> tuple[float, ...]:
    """User, system, and those two of children that were waited for."""
    return tuple(int(each) * _TICK_S for each in fields[11:15])
